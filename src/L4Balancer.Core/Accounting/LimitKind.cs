namespace L4Balancer.Core.Accounting;

/// <summary>
/// Which limit a connection has hit that ended as <see cref="CloseReason.Limit"/>. <see cref="LimitKinds"/> has the names that users see.
/// </summary>
public enum LimitKind : byte
{
    None,

    /// <summary><c>max_connections</c> of <c>[balancer]</c>, or what the descriptor limit allows if that is less.</summary>
    Balancer,

    /// <summary><c>max_connections</c> of the listener.</summary>
    Listener,

    /// <summary><c>max_connections_per_source</c> of the listener.</summary>
    Source,

    /// <summary><c>connection_rate_per_source</c> of the listener.</summary>
    SourceRate,

    /// <summary>Every backend that takes connections is at its <c>max_connections</c>.</summary>
    Backends,

    /// <summary><c>new_connection_rate</c>: no backend could begin to connect within <c>connect_timeout</c>.</summary>
    Queue,

    /// <summary>This host lacks descriptors, memory, or another resource of the kernel that a connection needs.</summary>
    Host,
}

/// <summary>The published names of <see cref="LimitKind"/>, as used in the access log.</summary>
public static class LimitKinds
{
    private static readonly string[] Names = ["none", "balancer", "listener", "source", "source_rate", "backends", "queue", "host"];

    public static int Count => Names.Length;

    public static string Name(this LimitKind limit) => Names[(int)limit];
}
