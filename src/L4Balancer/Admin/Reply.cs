using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using L4Balancer.Admin.Answers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace L4Balancer.Admin;

/// <summary>Writes answers.</summary>
internal static class Reply
{
    /// <summary>Streams the value, so that it is never in memory as a whole.</summary>
    public static Task JsonAsync<T>(HttpContext http, T value, JsonTypeInfo<T> type, int status = StatusCodes.Status200OK)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "application/json";
        return JsonSerializer.SerializeAsync(http.Response.BodyWriter, value, type, http.RequestAborted);
    }

    /// <summary>
    /// As <see cref="JsonAsync"/>, in pieces so large that the minimum rate for readers holds (<see cref="AdminJson.LargeWrite"/>).
    /// </summary>
    public static Task LargeJsonAsync<T>(HttpContext http, T value, JsonTypeInfo<T> type)
    {
        http.Response.ContentType = "application/json";
        return JsonSerializer.SerializeAsync(http.Response.Body, value, type, http.RequestAborted);
    }

    /// <param name="detail">What is wrong, with the remedy.</param>
    /// <param name="errors">One line per error if there are several.</param>
    public static Task ProblemAsync(HttpContext http, int status, string detail, IReadOnlyList<string>? errors = null)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = Problem.MediaType;
        var problem = new Problem("about:blank", ReasonPhrases.GetReasonPhrase(status), status, detail, errors);
        return JsonSerializer.SerializeAsync(http.Response.BodyWriter, problem, AdminJson.Default.Problem, http.RequestAborted);
    }

    public static Task TextAsync(HttpContext http, int status, string line)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "text/plain; charset=utf-8";
        return http.Response.WriteAsync(line + "\n", http.RequestAborted);
    }
}
