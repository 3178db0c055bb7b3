using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;

namespace L4Balancer.Engine;

/// <summary>
/// A data plane: it accepts, drives <see cref="ConnectionSetup"/> and relays. The seam is the whole engine, so that each may hold its
/// connections as it likes. Any thread may call any member; <see cref="Start"/> once, before the others.
/// </summary>
public interface IEngine : IAsyncDisposable
{
    /// <summary>As in <c>engine</c> of the configuration.</summary>
    string Name { get; }

    /// <summary>Established connections and those that are being set up.</summary>
    int Count { get; }

    /// <summary>The addresses that are listened on, with the port that the kernel chose where the configuration says 0.</summary>
    IReadOnlyList<Endpoint> Bound { get; }

    /// <summary>
    /// Binds every listener, or takes the socket of <see cref="EngineOptions.Inherited"/> that has its address, and begins to accept;
    /// either all of it, or nothing.
    /// </summary>
    /// <returns>
    /// What could not be bound, or why the event loops could not be started (descriptors, memory, threads); empty where the engine runs now.
    /// </returns>
    IReadOnlyList<ListenFailure> Start(RoutingSnapshot snapshot);

    /// <summary>
    /// New connections go by this snapshot from now on; established ones stay as they are. Addresses that are new are bound, all of
    /// them before anything changes. One that stays keeps its socket, whatever else changes about it, and has its options renewed. One
    /// that is gone is retired: for a second it drops new SYNs (their clients come again) while what is queued and under way is served
    /// by the settings that it had; then it is closed. It may come back meanwhile. One caller at a time.
    /// </summary>
    /// <returns>
    /// What could not be bound: then nothing has changed. Empty where the snapshot is in force, and where the engine stops or has
    /// stopped: then nothing is bound.
    /// </returns>
    IReadOnlyList<ListenFailure> Publish(RoutingSnapshot snapshot);

    /// <summary>
    /// Calls back with a copy of every connection that is open now, without holding up those that serve them. A record may be a moment old;
    /// what comes or goes meanwhile may be missing. Waits for the event loops: not for a thread that must not.
    /// </summary>
    /// <param name="visit">Called on this thread.</param>
    void List(Action<OpenConnection> visit);

    /// <summary>What each event loop has to do, by its number; empty where an engine has none of its own.</summary>
    IReadOnlyList<WorkerLoad> Load();

    /// <summary>Done when every event loop has made a turn: never, where one hangs; at once, where the engine has stopped.</summary>
    Task TurnAsync();

    /// <summary>Closes one connection in the way of a close by us, in its own time.</summary>
    /// <returns>False where no connection has this id (any more).</returns>
    bool Close(ulong id, CloseReason reason);

    /// <summary>
    /// Closes established connections in the way of a close by us, one after the other at the pace of the order. It chooses among those
    /// that are there now; what is established later stays.
    /// </summary>
    /// <param name="cancel">What is not closed until then stays open.</param>
    /// <returns>How many were closed, when the last of them has been told; their peers may still take their time.</returns>
    Task<int> ShedAsync(ShedOrder order, CancellationToken cancel);

    /// <summary>
    /// Hands out every established connection that is not being closed, to be adopted by another engine: this one forgets them, writes
    /// no record and closes nothing. Those that are being set up or closed stay.
    /// </summary>
    /// <returns>Null where this engine cannot.</returns>
    Task<IReadOnlyList<ExportedConnection>?> ExportAsync();

    /// <summary>
    /// Goes on with connections that another engine has handed out. Their sockets belong to this engine now: what it cannot serve, because it
    /// stops or the kernel has no room, is reset, and has a record that says why.
    /// </summary>
    /// <exception cref="NotSupportedException">This engine cannot: <see cref="ExportAsync"/> answers null.</exception>
    void Adopt(IReadOnlyList<ExportedConnection> connections);

    /// <summary>
    /// Stops accepting and ends every connection with <see cref="CloseReason.Shutdown"/>: those being set up at once, the
    /// established ones spread evenly over <paramref name="grace"/>. Done when none is left.
    /// </summary>
    /// <param name="atOnce">Cancels the rest of the grace and of every orderly close: what is left is reset.</param>
    Task StopAsync(TimeSpan grace, CancellationToken atOnce);
}
