namespace L4Balancer.Core.Connections;

/// <summary>One of the two sockets of a connection. A direction is named after the side that it reads from.</summary>
public enum Side : byte
{
    Client,
    Backend,
}

/// <summary>The stage of a connection's end.</summary>
public enum EndPhase : byte
{
    /// <summary>Bytes are relayed in both directions, or in one if a side has finished.</summary>
    Relaying,

    /// <summary>
    /// Lingering close by the balancer: buffered bytes are written, FIN goes to both peers, and what they still send is discarded.
    /// </summary>
    Lingering,

    /// <summary>One side was reset. The other is reset as well, once its peer has acknowledged everything that was sent to it.</summary>
    Flushing,
}

/// <summary>What an engine does next, as decided by <see cref="ConnectionEnd"/>.</summary>
[Flags]
public enum EndActions : byte
{
    None = 0,

    /// <summary>Send FIN to the client: shutdown(2) with SHUT_WR.</summary>
    FinToClient = 1,

    /// <summary>Send FIN to the backend.</summary>
    FinToBackend = 2,

    /// <summary>Stop relaying; write buffered bytes, and discard what still arrives.</summary>
    Linger = 4,

    /// <summary>Wait until the send queues of the sides that are not lost are empty, then call <see cref="ConnectionEnd.Flushed"/>.</summary>
    Flush = 8,

    /// <summary>Close both sockets: the connection is over.</summary>
    Close = 16,

    /// <summary>With <see cref="Close"/>: close the client's socket with a reset.</summary>
    ResetClient = 32,

    /// <summary>With <see cref="Close"/>: close the backend's socket with a reset.</summary>
    ResetBackend = 64,

    ResetBoth = Close | ResetClient | ResetBackend,
}
