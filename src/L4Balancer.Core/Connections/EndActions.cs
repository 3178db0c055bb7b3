namespace L4Balancer.Core.Connections;

/// <summary>One of the two sockets of a connection. A direction is named after the side that it reads from.</summary>
public enum Side : byte
{
    Client,
    Backend,
}

/// <summary>What stage of its end a connection has reached.</summary>
public enum EndPhase : byte
{
    /// <summary>Bytes go both ways, or one way where one side has finished.</summary>
    Relaying,

    /// <summary>
    /// Closed by the balancer: what was read is written, FIN goes to both peers, and what they still send is discarded (a lingering close).
    /// </summary>
    Lingering,

    /// <summary>One side was reset. The other is reset as well, once its peer has acknowledged everything that was sent to it.</summary>
    Flushing,
}

/// <summary>What an engine does next, as <see cref="ConnectionEnd"/> decides it.</summary>
[Flags]
public enum EndActions : byte
{
    None = 0,

    /// <summary>Send FIN to the client: shutdown(2) with SHUT_WR.</summary>
    FinToClient = 1,

    /// <summary>Send FIN to the backend.</summary>
    FinToBackend = 2,

    /// <summary>Stop relaying; write what was read, and discard what still comes.</summary>
    Linger = 4,

    /// <summary>Wait until the send queues of the sides that are left are empty, then ask <see cref="ConnectionEnd.Flushed"/>.</summary>
    Flush = 8,

    /// <summary>Close both sockets: the connection is over.</summary>
    Close = 16,

    /// <summary>With <see cref="Close"/>: by a reset of the client.</summary>
    ResetClient = 32,

    /// <summary>With <see cref="Close"/>: by a reset of the backend.</summary>
    ResetBackend = 64,

    ResetBoth = Close | ResetClient | ResetBackend,
}
