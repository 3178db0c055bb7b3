using L4Balancer.Core.Accounting;

namespace L4Balancer.Engine;

/// <summary>
/// Established connections that stand still: so that another engine can take them over (<see cref="IEngine.FreezeAsync"/>), or because another one
/// may still have them (<see cref="IEngine.TakeFrozenAsync"/>). No byte moves,
/// no timer fires and no event is taken from their sockets, but they are still listed and counted, and their descriptors stay open in this
/// engine. A close, shed or stop that meets one takes effect when it thaws. The slice ends once: by the first call of <see cref="CommitAsync"/>,
/// <see cref="ThawAsync"/> or Dispose; later calls change nothing and return what the first one did. Any thread may call.
/// </summary>
public abstract class FrozenSlice : IAsyncDisposable
{
    /// <summary>The connections, with descriptors that still belong to this engine. Valid until the slice ends.</summary>
    public abstract IReadOnlyList<ExportedConnection> Connections { get; }

    /// <summary>Connections that <see cref="IEngine.TakeFrozenAsync"/> could not put in place; empty for a slice of <see cref="IEngine.FreezeAsync"/>.</summary>
    public virtual IReadOnlyList<AdoptFailure> Failures => [];

    /// <summary>
    /// Gives up the connections with these ids, which another process has taken over or has kept: their descriptors are closed by close(2) only,
    /// without a shutdown, a socket option or a record, and they leave the counters. All others thaw.
    /// </summary>
    /// <param name="taken">Ids that are not in this slice are ignored.</param>
    /// <returns>
    /// Closes that were asked for while these connections stood still, and that the process that has them now is to carry out.
    /// </returns>
    public abstract Task<IReadOnlyList<RequestedClose>> CommitAsync(IReadOnlySet<ulong> taken);

    /// <summary>
    /// All connections go on where they stopped. What has happened to their sockets meanwhile (bytes, FIN, reset) is reported anew, and
    /// deadlines that have passed are checked after that.
    /// </summary>
    /// <returns>Connections that the kernel does not let this engine watch: both of their peers were reset, and there is a record.</returns>
    public abstract Task<IReadOnlyList<AdoptFailure>> ThawAsync();

    /// <summary>Thaws the connections of a slice that was not ended.</summary>
    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return new ValueTask(ThawAsync());
    }
}

/// <summary>A close that was asked of a connection while it stood still.</summary>
/// <param name="Id">The id of the connection.</param>
public readonly record struct RequestedClose(ulong Id, CloseReason Reason);

/// <summary>A connection that an engine could not take over or go on with. What has become of it, the method says that returns this.</summary>
/// <param name="Id">The id of the connection.</param>
/// <param name="Error">What has failed, for a log.</param>
public readonly record struct AdoptFailure(ulong Id, CloseReason Reason, string Error);
