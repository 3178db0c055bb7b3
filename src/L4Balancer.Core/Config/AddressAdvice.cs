using System.Globalization;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>Says what is wrong with a text that is no address with a port: most mistakes are one of a few.</summary>
internal static class AddressAdvice
{
    /// <param name="form">Description of what is allowed, with examples.</param>
    /// <param name="isName">Whether a host name is allowed in the place of an IP address.</param>
    /// <returns>The message.</returns>
    public static string Of(string text, string form, bool isName) => Fault(text, isName) is string fault
        ? $"{Quoted.Text(text)} {fault}; allowed: {form}"
        : $"{Quoted.Text(text)} is not {form}";

    private static string? Fault(string text, bool isName)
    {
        int colon = text.LastIndexOf(':');
        (string host, string port) = colon < 0 ? (text, "") : (text[..colon], text[(colon + 1)..]);
        if (text.Length == 0)
        {
            return null;
        }

        if (text.AsSpan().ContainsAny(" \t"))
        {
            return "has white space in it";
        }

        if (text.Contains("://", StringComparison.Ordinal))
        {
            return "is a URL; leave out what stands before and after the host and the port";
        }

        if (HostAddress.TryParse(text, out HostAddress bare))
        {
            return bare.IsV4 ? $"has no port; write it as in \"{text}:443\""
                : $"has no port, and an IPv6 address needs brackets before one, as in \"[{text}]:443\"";
        }

        if (text[0] == '[' && text[^1] == ']')
        {
            return $"has no port; write it as in \"{Plain(text)}:443\"";
        }

        if (colon < 0)
        {
            return "has no port";
        }

        if (host.Length == 0)
        {
            return isName ? "has no host before its port"
                : $"has no address before its port; for all addresses write \"0.0.0.0:{Plain(port)}\" and \"[::]:{Plain(port)}\"";
        }

        if (host == "*")
        {
            return $"has * for its host; for all addresses write \"0.0.0.0:{Plain(port)}\" and \"[::]:{Plain(port)}\"";
        }

        if (host[0] != '[' && host.Contains(':', StringComparison.Ordinal))
        {
            return $"has more than one colon; an IPv6 address needs brackets, as in \"[{Plain(host)}]:{Plain(port)}\"";
        }

        if (!IsPort(port))
        {
            return $"has a port out of range, {Quoted.Text(port)}; a port is a number from 1 to 65535";
        }

        return !isName && host.Any(char.IsAsciiLetter) && host[0] != '[' ? "has a host name; an address is needed here" : null;
    }

    private static bool IsPort(string port) => ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out _);

    private static string Plain(string text)
    {
        string quoted = Quoted.Text(text);
        return quoted[1..^1];
    }
}
