using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace L4Balancer.Admin;

/// <summary>Query parameters; unknown ones are an error instead of being ignored.</summary>
internal static class Query
{
    /// <summary>Calls the route if there are no other parameters than these, each at most once; otherwise answers with 400.</summary>
    public static Task OnlyAsync(HttpContext http, string[] known, Func<Task> answer)
    {
        foreach ((string name, StringValues values) in http.Request.Query)
        {
            if (!known.Contains(name, StringComparer.Ordinal))
            {
                string allowed = known.Length == 0 ? "this path has none" : $"allowed: {string.Join(", ", known)}";
                return Reply.ProblemAsync(http, StatusCodes.Status400BadRequest, $"no parameter {Shown(name)}; {allowed}");
            }

            if (values.Count != 1)
            {
                return Reply.ProblemAsync(http, StatusCodes.Status400BadRequest, $"{name} is given more than once");
            }
        }

        return answer();
    }

    /// <summary>Null if it is not given.</summary>
    public static string? Value(HttpContext http, string name) => http.Request.Query.TryGetValue(name, out StringValues found) ? found[0] : null;

    /// <summary>Formats client input for a message: quoted, at most 80 characters.</summary>
    public static string Shown(string? text) => text is null ? "" : $"\"{(text.Length > 80 ? text[..80] + "…" : text)}\"";
}
