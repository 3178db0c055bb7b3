using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Config;

/// <summary>The table <c>[admin]</c>.</summary>
public sealed record AdminSettings
{
    /// <summary>Where the local socket of a daemon of root is by default; that of another user is below XDG_RUNTIME_DIR.</summary>
    public const string DefaultSocket = "/run/l4balancer/admin.sock";

    /// <summary>Path of the local socket.</summary>
    public string Socket { get; init; } = DefaultSocket;

    /// <summary>Null: only the local socket.</summary>
    public Endpoint? Listen { get; init; }

    /// <summary>A file with the bearer token; empty: none.</summary>
    public string TokenFile { get; init; } = "";
}
