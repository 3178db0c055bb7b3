using System.Collections.Immutable;
using System.Text;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>The table <c>[admin]</c>.</summary>
public sealed record AdminSettings
{
    /// <summary>Default path of the local socket for a daemon run by root; for other users it is below XDG_RUNTIME_DIR.</summary>
    public const string DefaultSocket = "/run/l4balancer/admin.sock";

    /// <summary>Path of the local socket.</summary>
    public string Socket { get; init; } = DefaultSocket;

    /// <summary>The TCP address; null means only the local socket.</summary>
    public Endpoint? Listen { get; init; }

    /// <summary>Path of the file with the bearer token; empty means none.</summary>
    public string TokenFile { get; init; } = "";

    /// <summary>Names under which the API, the page and the metrics may be requested, in addition to addresses and localhost.</summary>
    public ImmutableArray<string> Hosts { get; init; } = [];
}

/// <summary><c>[admin]</c>.</summary>
internal static class AdminBinding
{
    private const string ListenForm = "an IP address with a port, like \"127.0.0.1:9180\", or \"\"";

    private const string HostsForm = "an array of host names, like [\"lb1.example.com\"]";

    /// <summary>RFC 1035, 2.3.4.</summary>
    private const int LongestHostName = 253;
    private const int LongestLabel = 63;

    /// <summary>sun_path holds 108 bytes, including the terminating zero (unix(7)).</summary>
    private const int LongestSocketPath = 107;

    /// <summary>PATH_MAX, including the terminating zero (limits.h).</summary>
    internal const int LongestPath = 4095;

    public static AdminSettings Bind(TableBinder table, BoundAddresses bound)
    {
        AdminSettings admin = new()
        {
            Socket = Path(table, "socket", AdminSettings.DefaultSocket, LongestSocketPath),
            TokenFile = Path(table, "token_file", "", LongestPath),
            Hosts = HostNames(table),
        };
        if (table.TryGet("socket", out Setting socket) && Endpoint.TryParseUnix($"unix:{admin.Socket}", out Endpoint path))
        {
            bound.Add(path, socket);
        }

        if (table.TryGet("listen", out Setting listen) && listen.TryText(ListenForm, out string text) && text.Length > 0
            && listen.TryEndpoint(0, out Endpoint endpoint))
        {
            admin = admin with { Listen = endpoint };
            bound.Add(endpoint, listen);
        }

        return admin;
    }

    private static ImmutableArray<string> HostNames(TableBinder table)
    {
        if (!table.TryGet("hosts", out Setting setting) || !setting.TryItems(HostsForm, out ImmutableArray<Setting> items))
        {
            return [];
        }

        ImmutableArray<string>.Builder names = ImmutableArray.CreateBuilder<string>(items.Length);
        foreach (Setting item in items)
        {
            if (item.TryText("a host name, like \"lb1.example.com\"", out string name) && IsHostName(item, name))
            {
                names.Add(name);
            }
        }

        return names.ToImmutable();
    }

    // RFC 952 and RFC 1123, 2.1, and underscores, which names within a network have. An address would be taken for a name.
    private static bool IsHostName(Setting item, string name)
    {
        if (HostAddress.TryParse(name, out _))
        {
            return item.Reject($"{Quoted.Text(name)} is an address, which is always accepted; leave it out");
        }

        bool isName = name.Length is > 0 and <= LongestHostName && name.Split('.').All(static label =>
            label.Length is > 0 and <= LongestLabel && label[0] != '-' && label[^1] != '-'
            && label.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'));
        return isName || item.Reject(
            $"{Quoted.Text(name)} is not a host name, like \"lb1.example.com\"; "
            + "allowed: letters, digits, hyphens and dots, without a port");
    }

    internal static string Path(
        TableBinder table, string key, string fallback, int longest, string example = "/run/l4balancer/admin.sock")
    {
        if (!table.TryGet(key, out Setting setting) || !setting.TryText($"a path, like \"{example}\"", out string path))
        {
            return fallback;
        }

        if (path.Length > 0 && (path[0] != '/' || path.Contains('\0') || Encoding.UTF8.GetByteCount(path) > longest))
        {
            setting.Reject($"{Quoted.Text(path)} is not a path; allowed: an absolute path of at most {longest} bytes");
        }

        return path;
    }
}
