using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Direct;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace L4Balancer.Direct;

/// <summary>The query of a request for an endpoint.</summary>
/// <param name="IsRedirect">The answer is to be a redirection.</param>
internal sealed record EndpointQuery(string Pool, HandOutAsk Ask, bool IsRedirect)
{
    private const int MostExcluded = 8;
    private const int LongestKey = 1024;

    private static readonly string[] Parameters = ["pool", "key", "exclude", "redirect"];

    // SignalR's clients add their version.
    private static readonly string[] OfNegotiate = ["pool", "key", "exclude", "negotiateVersion"];

    /// <param name="client">The address of the client, which may be a part of the key.</param>
    /// <param name="isNegotiate">Whether a client of SignalR asks.</param>
    /// <param name="mistake">One line with the remedy, if the result is null.</param>
    public static EndpointQuery? Of(HttpRequest request, HostAddress client, bool isNegotiate, out string mistake)
    {
        string[] known = isNegotiate ? OfNegotiate : Parameters;
        mistake = "";
        foreach ((string name, StringValues values) in request.Query)
        {
            if (!known.Contains(name, StringComparer.Ordinal))
            {
                mistake = $"no parameter {Shown(name)}; allowed: {string.Join(", ", known)}";
                return null;
            }

            if (values.Count != 1 && name != "exclude")
            {
                mistake = $"{name} is given more than once";
                return null;
            }
        }

        string? redirect = Value(request, "redirect");
        string? key = Value(request, "key");
        string?[] excluded = request.Query["exclude"].ToArray();
        if (Value(request, "pool") is not { Length: > 0 } pool)
        {
            mistake = "pool is required, as in pool=chat";
        }
        else if (redirect is not (null or "0" or "1"))
        {
            mistake = "redirect is 0 or 1";
        }
        else if (key is { Length: 0 or > LongestKey })
        {
            mistake = $"key has 1 to {LongestKey} characters";
        }
        else if (excluded.Length > MostExcluded)
        {
            mistake = $"exclude is given more than {MostExcluded} times";
        }
        else
        {
            ImmutableArray<string> names = [.. excluded.OfType<string>()];
            return new EndpointQuery(pool, new HandOutAsk(key, names, client), redirect == "1");
        }

        return null;
    }

    private static string? Value(HttpRequest request, string name) => request.Query.TryGetValue(name, out StringValues found) ? found[0] : null;

    private static string Shown(string text) => $"\"{(text.Length > 80 ? text[..80] + "…" : text)}\"";
}
