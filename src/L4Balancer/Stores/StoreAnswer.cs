using System.Net.Http.Headers;
using System.Text;

namespace L4Balancer.Stores;

/// <summary>A complete HTTP answer of any status. Immutable.</summary>
/// <param name="Place">The host and port that have answered, for messages.</param>
internal sealed record StoreAnswer(string Place, int Status, byte[] Body, HttpResponseHeaders Headers)
{
    private const int LongestQuote = 200;

    public bool IsSuccess => Status is >= 200 and < 300;

    /// <summary>The value of a header; empty if it is missing or there are several.</summary>
    public string Header(string name) =>
        Headers.NonValidated.TryGetValues(name, out HeaderStringValues values) && values.Count == 1 ? values.ToString() : "";

    /// <summary>The status and the start of the body, in one line: for an answer that was not expected.</summary>
    public string Describe() => Headers.Location is { } location
        ? $"{Place}: status {Status}, to {Quote(location.ToString())}: redirects are not followed"
        : Body.Length == 0 ? $"{Place}: status {Status}"
        : $"{Place}: status {Status}: {Quote(Encoding.UTF8.GetString(Body.AsSpan(0, Math.Min(Body.Length, LongestQuote))))}";

    /// <summary>A text of somebody else, of bounded length and in one line.</summary>
    public static string Quote(string text)
    {
        text = text.Length > LongestQuote ? text[..LongestQuote] : text;
        return string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c)).Trim();
    }
}
