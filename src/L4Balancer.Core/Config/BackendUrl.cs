namespace L4Balancer.Core.Config;

/// <summary><c>public_url</c> of a backend: the URL under which clients reach it without the balancer.</summary>
public static class BackendUrl
{
    private const int Longest = 2048;

    /// <summary>What a valid one looks like, for messages.</summary>
    internal const string Form = "an absolute URL of http, https, ws or wss, like \"wss://ws1.example.com/chat\"";

    /// <summary>
    /// Whether a text, from the file or from a source, is such a URL: with a host, and without a user, a fragment or anything but visible ASCII.
    /// </summary>
    public static bool IsValid(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Length is > 0 and <= Longest
            && text.All(static c => c is > ' ' and < '\x7F' and not ('"' or '\\' or '<' or '>'))
            && Uri.TryCreate(text, UriKind.Absolute, out Uri? url)
            && url.Scheme is "http" or "https" or "ws" or "wss"
            && url.Host.Length > 0 && url.UserInfo.Length == 0 && url.Fragment.Length == 0;
    }

    internal static string Bind(TableBinder table)
    {
        return table.TryGet("public_url", out Setting setting) && setting.TryText(Form, out string text)
            && (text.Length == 0 || IsValid(text) || setting.Reject($"{Quoted.Text(text)} is not {Form}"))
            ? text : "";
    }
}
