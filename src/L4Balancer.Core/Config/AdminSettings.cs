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
}

/// <summary><c>[admin]</c>.</summary>
internal static class AdminBinding
{
    private const string ListenForm = "an IP address with a port, like \"127.0.0.1:9180\", or \"\"";

    /// <summary>sun_path holds 108 bytes, including the terminating zero (unix(7)).</summary>
    private const int LongestSocketPath = 107;

    /// <summary>PATH_MAX, including the terminating zero (limits.h).</summary>
    private const int LongestPath = 4095;

    public static AdminSettings Bind(TableBinder table, BoundAddresses bound)
    {
        AdminSettings admin = new()
        {
            Socket = Path(table, "socket", AdminSettings.DefaultSocket, LongestSocketPath),
            TokenFile = Path(table, "token_file", "", LongestPath),
        };
        if (table.TryGet("listen", out Setting listen) && listen.TryText(ListenForm, out string text) && text.Length > 0
            && listen.TryEndpoint(0, out Endpoint endpoint))
        {
            admin = admin with { Listen = endpoint };
            bound.Add(endpoint, listen);
        }

        return admin;
    }

    private static string Path(TableBinder table, string key, string fallback, int longest)
    {
        if (!table.TryGet(key, out Setting setting) || !setting.TryText("a path, like \"/run/l4balancer/admin.sock\"", out string path))
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
