using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;

namespace L4Balancer.Engine;

/// <summary>
/// A data plane: it accepts connections, drives <see cref="ConnectionSetup"/> and relays. The interface covers the whole engine, so that
/// each one is free in how it stores connections. Any thread may call any member; call <see cref="Start"/> once, before the others.
/// Disposing stops an engine that still runs, without grace: all connections are reset.
/// </summary>
public interface IEngine : IAsyncDisposable
{
    /// <summary>The value of <c>engine</c> in the configuration that selects this engine.</summary>
    string Name { get; }

    /// <summary>Number of connections, established ones and those that are being set up.</summary>
    int Count { get; }

    /// <summary>The addresses that the engine listens on, with the port that the kernel chose if the configuration has port 0.</summary>
    IReadOnlyList<Endpoint> Bound { get; }

    /// <summary>
    /// Binds every listener, or uses the inherited socket (<see cref="EngineOptions.Inherited"/>) that has its address, and begins to
    /// accept. If any part fails, nothing is left bound and no event loop runs.
    /// </summary>
    /// <returns>
    /// What could not be bound, or why the event loops could not be started (descriptors, memory, threads); empty if the engine runs now.
    /// </returns>
    IReadOnlyList<ListenFailure> Start(RoutingSnapshot snapshot);

    /// <summary>
    /// Applies this snapshot to new connections; established ones are unaffected. New addresses are bound, all of them before anything
    /// changes. An address that stays keeps its socket, whatever else changes about it, and its socket options are renewed. One that is
    /// gone is retired: for a second it drops new SYNs (which clients retransmit), while queued connections and handshakes in progress are
    /// served with its old settings; then it is closed. A later snapshot may restore it within that second. One caller at a time.
    /// </summary>
    /// <returns>
    /// What could not be bound; nothing has changed in that case. Empty if the snapshot is in force, and also if the engine is stopping or
    /// has stopped, when nothing is bound.
    /// </returns>
    IReadOnlyList<ListenFailure> Publish(RoutingSnapshot snapshot);

    /// <summary>
    /// Closes the listening sockets of listeners that are not to listen while their pool is down (<see cref="Listener.IsOpen"/>), and binds
    /// them again, as the snapshot in force says at this moment. <see cref="Publish"/> does the same, without an error for an address that
    /// is not bound again. Inherited sockets are never closed for this. One caller at a time, the same as of <see cref="Publish"/>.
    /// </summary>
    /// <returns>What could not be bound again, to be tried later; the others are in force.</returns>
    IReadOnlyList<ListenFailure> FollowPools();

    /// <summary>
    /// Calls back with a copy of every open connection, without holding up the threads that serve them. A record may be a moment old, and
    /// connections that open or close meanwhile may be missing. Blocks until every event loop has answered; must not be called on one.
    /// </summary>
    /// <param name="visit">Called on the calling thread; an exception in it ends the listing and is passed on.</param>
    void List(Action<OpenConnection> visit);

    /// <summary>
    /// Passes a copy of the record of every established connection to <see cref="IRecordSink.Alive"/>, after its start was reported and
    /// before its end is. In slices, so that no thread that serves connections is held up. Connections that open or close meanwhile may be
    /// missing.
    /// </summary>
    /// <param name="over">The slices are spread evenly over this time.</param>
    /// <param name="cancel">Ends the walk with an <see cref="OperationCanceledException"/>.</param>
    Task ReportLivingAsync(TimeSpan over, CancellationToken cancel);

    /// <summary>The load of each event loop, ordered by its number; empty for an engine without event loops of its own.</summary>
    IReadOnlyList<WorkerLoad> LoopStatistics();

    /// <summary>Bytes held now for peers that do not read, bounded by <see cref="EngineOptions.Held"/>. Any thread.</summary>
    long HeldBytes { get; }

    /// <summary>
    /// Completes when each event loop has finished an iteration. Never completes while a loop is stuck. Completes at once after the engine
    /// has stopped.
    /// </summary>
    Task PingLoopsAsync();

    /// <summary>
    /// Starts an orderly close of one connection, which may still take time when this returns. Blocks until the event loops have answered;
    /// must not be called on one.
    /// </summary>
    /// <returns>False if no open connection has this id.</returns>
    bool Close(ulong id, CloseReason reason);

    /// <summary>
    /// Starts an orderly close of established connections, one after the other at the rate of the order. It selects among the connections
    /// that exist now; those established later are not closed.
    /// </summary>
    /// <param name="cancel">Ends the order without an exception; connections that are not closed by then stay open.</param>
    /// <returns>How many closes were started. Completes with the last of them, while peers may still be finishing.</returns>
    Task<int> ShedAsync(ShedOrder order, CancellationToken cancel);

    /// <summary>
    /// Number of connections that are not established yet, from accept on: they cannot be frozen. While the engine does not accept, it only
    /// falls. Any thread.
    /// </summary>
    int Connecting { get; }

    /// <summary>
    /// Freezes established connections that are not being closed, for another engine to adopt. Connections that are being set up or closed
    /// stay. It costs each event loop one short step, and calls one after the other go round all connections. One slice at a time. Nothing
    /// is left to hand over when a call returns an empty slice and <see cref="Connecting"/> was 0 before it, after accepting was stopped.
    /// </summary>
    /// <param name="most">
    /// Maximum number of connections, at least 1; their two sockets fit in one message of 253 descriptors up to 126.
    /// </param>
    /// <param name="cancel">Thaws what was frozen, and ends the call with an <see cref="OperationCanceledException"/>.</param>
    /// <returns>Null if this engine does not support it; an empty slice if no established connection was found.</returns>
    Task<FrozenSlice?> FreezeAsync(int most, CancellationToken cancel);

    /// <summary>
    /// Takes over connections of another engine. Their descriptors belong to this engine from then on. A connection that it cannot serve,
    /// because it is stopping or the kernel lacks resources, is reset, and its record states the reason. Each is counted (
    /// <see cref="ConnectionRecord.Join"/>) by the states that its record refers to.
    /// </summary>
    /// <returns>The connections that were not taken; completes when all others are served.</returns>
    /// <exception cref="NotSupportedException">This engine does not support it: <see cref="FreezeAsync"/> returns null.</exception>
    /// <exception cref="InvalidOperationException">The engine has no event loops, because it has not been started.</exception>
    Task<IReadOnlyList<AdoptFailure>> AdoptAsync(IReadOnlyList<ExportedConnection> connections);

    /// <summary>
    /// The first half of <see cref="AdoptAsync"/>: connections are put in place and counted, but stand still, because the process that they
    /// come from has not given them up yet. Those that hold no bytes in memory are noted in the ledger, if there is one, and the others
    /// when they are served. <see cref="FrozenSlice.ThawAsync"/> serves them once it has; if it goes on with them, <see
    /// cref="FrozenSlice.CommitAsync"/> with their ids closes the descriptors here, and nothing else. So there is no moment at which a
    /// connection would be lost with this process.
    /// </summary>
    /// <returns>
    /// The slice. A connection that could not be put in place is in <see cref="FrozenSlice.Failures"/>: its descriptors were closed
    /// (close(2)), and it has no record, because it stays where it is.
    /// </returns>
    /// <exception cref="NotSupportedException">As <see cref="AdoptAsync"/>.</exception>
    /// <exception cref="InvalidOperationException">As <see cref="AdoptAsync"/>.</exception>
    Task<FrozenSlice> TakeFrozenAsync(IReadOnlyList<ExportedConnection> connections);

    /// <summary>
    /// The cookies (SO_COOKIE) of the sockets of all connections, those included that are being set up: by them a keeper's duplicates of
    /// this engine's own sockets are known. In slices, so that no event loop is held up.
    /// </summary>
    /// <returns>Empty for an engine that cannot adopt.</returns>
    Task<IReadOnlySet<ulong>> CookiesAsync();

    /// <summary>
    /// The sockets that it listens on, for another process to listen on as well; empty if this engine does not support that.
    /// </summary>
    IReadOnlyList<ListeningDescriptor> ListeningDescriptors { get; }

    /// <summary>
    /// Another process is about to listen at <see cref="ListeningDescriptors"/> as well. To be called before they are read: until
    /// <see cref="ResumeAccepting"/> no listening socket is bound, retired or closed, because a retirement would take the SYNs from the
    /// other process too. What a snapshot published meanwhile says of sockets that stay holds at once, and the rest afterwards. Accepting goes
    /// on. An engine that is stopped in this state leaves the files of its UNIX sockets to the other process.
    /// </summary>
    /// <exception cref="NotSupportedException">This engine does not support it: <see cref="FreezeAsync"/> returns null.</exception>
    void ShareListening();

    /// <summary>
    /// Stops taking connections from the queues of the listening sockets, which stay open as they are: another process that has duplicates
    /// takes them. Implies <see cref="ShareListening"/>.
    /// </summary>
    /// <returns>Completes when no thread accepts any more; what was accepted before is in <see cref="Connecting"/>.</returns>
    /// <exception cref="NotSupportedException">This engine does not support it: <see cref="FreezeAsync"/> returns null.</exception>
    Task StopAcceptingAsync();

    /// <summary>
    /// Accepts again, as the one process that has the sockets: the options that its listeners want are set, and the files of UNIX sockets
    /// are its own. Also to be called, whether or not accepting was stopped, when another process that had the same sockets has ended, or
    /// has given its own up: the kernel wakes only one of the processes for a connection, so one may wait in a queue although only the
    /// other process was woken.
    /// </summary>
    /// <exception cref="NotSupportedException">This engine does not support it: <see cref="FreezeAsync"/> returns null.</exception>
    void ResumeAccepting();

    /// <summary>
    /// Stops accepting and ends every connection with <see cref="CloseReason.Shutdown"/>: those being set up at once, and the
    /// established ones spread evenly over <paramref name="grace"/>. Completes when no connection is left, and in any case soon after the
    /// grace and <see cref="ConnectionEnd.Grace"/>: what has not ended by then is reset, and what is left a second later (a thread hangs,
    /// or a fault) is logged and counted by <see cref="Count"/>.
    /// </summary>
    /// <param name="atOnce">
    /// Cancels the rest of the grace and of every orderly close: remaining connections are reset, and the task completes without an
    /// exception.
    /// </param>
    Task StopAsync(TimeSpan grace, CancellationToken atOnce);
}
