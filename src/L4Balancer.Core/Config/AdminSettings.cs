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
