using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace L4Balancer.Admin;

/// <summary>Parameters after the question mark: what a path does not know is a mistake, not silence.</summary>
internal static class Query
{
    /// <summary>Answers if there is no parameter but these, each once.</summary>
    public static Task OnlyAsync(HttpContext http, string[] known, Func<Task> answer)
    {
        foreach ((string name, StringValues values) in http.Request.Query)
        {
            if (!known.Contains(name, StringComparer.Ordinal))
            {
                string allowed = known.Length == 0 ? "this path takes none" : $"allowed: {string.Join(", ", known)}";
                return Reply.ProblemAsync(http, StatusCodes.Status400BadRequest, $"no parameter {Shown(name)}; {allowed}");
            }

            if (values.Count != 1)
            {
                return Reply.ProblemAsync(http, StatusCodes.Status400BadRequest, $"{name} is given more than once");
            }
        }

        return answer();
    }

    /// <summary>Null where it is not given.</summary>
    public static string? Value(HttpContext http, string name) => http.Request.Query.TryGetValue(name, out StringValues found) ? found[0] : null;

    /// <summary>What a client sent, in a message: its beginning in quotes.</summary>
    public static string Shown(string? text) => text is null ? "" : $"\"{(text.Length > 80 ? text[..80] + "…" : text)}\"";
}
