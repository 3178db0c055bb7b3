using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Listening;

/// <summary>
/// The listening sockets of an engine, which follow the snapshots. An address that stays keeps its socket, and with it all queued
/// connections. One that leaves is retired: it takes no new SYN, serves queued connections and handshakes in progress, and is closed
/// after a second. Any thread may call any member.
/// </summary>
internal sealed class ListeningSockets<TSocket> : IDisposable
    where TSocket : ListeningSocket
{
    /// <summary>Held while the sockets change; event loops only try to enter it, and never block on it.</summary>
    private readonly Lock _gate = new();
    private readonly RetiringSockets<TSocket> _retiring;
    private readonly IAcceptControl<TSocket> _accepting;
    private readonly EngineOptions _options;
    private readonly ILogger _log;
    private Dictionary<(string Listener, Endpoint Requested), Endpoint> _suspended = [];
    private RoutingSnapshot? _snapshot;
    private volatile TSocket[] _serving = [];
    private Task? _end;
    private bool _paused;
    private bool _wasPublished;

    public ListeningSockets(IAcceptControl<TSocket> accepting, EngineOptions options, ILogger log)
    {
        (_accepting, _options, _log) = (accepting, options, log);
        _retiring = new RetiringSockets<TSocket>(accepting, options.Clock, _gate);
    }

    public IReadOnlyList<TSocket> Serving => _serving;

    /// <inheritdoc cref="IEngine.ListeningDescriptors"/>
    public IReadOnlyList<ListeningDescriptor> Descriptors =>
        [.. _serving.Select(s => new ListeningDescriptor(s.Descriptor, s.Target.Listener.Name, s.Requested, s.Endpoint, s.IsInherited))];

    public IReadOnlyList<Endpoint> Bound => [.. _serving.Select(s => s.Endpoint)];

    /// <summary>
    /// Applies the first snapshot, using the sockets in <see cref="EngineOptions.Inherited"/> and <see cref="EngineOptions.TakenOver"/>.
    /// </summary>
    public IReadOnlyList<ListenFailure> Start(RoutingSnapshot snapshot)
    {
        var inherited = new InheritedSockets(_options.Inherited, _options.TakenOver);
        IReadOnlyList<ListenFailure> failures = Publish(snapshot, inherited);
        inherited.CloseRest(_log);
        return failures;
    }

    /// <returns>What could not be bound; nothing has changed in that case.</returns>
    public IReadOnlyList<ListenFailure> Publish(RoutingSnapshot snapshot, InheritedSockets? inherited = null)
    {
        lock (_gate)
        {
            if (_end is not null)
            {
                return [];
            }

            if (_paused)
            {
                Retarget(snapshot);
                _snapshot = snapshot;
                _wasPublished = true;
                return [];
            }

            return Publish(snapshot, inherited, []);
        }
    }

    /// <summary>Closes or binds sockets as the pools of the snapshot in force require now.</summary>
    /// <returns>What could not be bound again; the rest is in force.</returns>
    public IReadOnlyList<ListenFailure> FollowPools()
    {
        lock (_gate)
        {
            List<ListenFailure> later = [];
            if (_end is null && !_paused && _snapshot is not null)
            {
                Publish(_snapshot, null, later);
            }

            return later;
        }
    }

    /// <summary>Leaves the sockets as they are until <see cref="Resume"/>, because another process listens on them too.</summary>
    public void Suspend()
    {
        lock (_gate)
        {
            _paused = true;
            foreach (TSocket socket in _serving)
            {
                socket.LeaveFile();
            }
        }
    }

    /// <summary>Follows the snapshots again, the one that was published meanwhile first.</summary>
    public void Resume()
    {
        lock (_gate)
        {
            bool isMissed = _paused && _wasPublished;
            _paused = false;
            _wasPublished = false;
            foreach (TSocket socket in _serving)
            {
                socket.MakeOwn();
            }

            if (isMissed && _end is null)
            {
                foreach (ListenFailure failure in Publish(_snapshot!, null, []))
                {
                    _log.NotListeningAgain(failure.Message);
                }
            }
        }
    }

    /// <param name="later">Failures to bind again what was not listened on because of its pool are added: they prevent nothing.</param>
    private List<ListenFailure> Publish(RoutingSnapshot snapshot, InheritedSockets? inherited, List<ListenFailure> later)
    {
        var plan = new ListenPlan<TSocket>(snapshot, _serving, _retiring.All, endpoint => inherited?.HasOfService(endpoint) ?? false);
        List<ListenFailure> failures = new SocketOpening<TSocket>(plan, inherited, _suspended, _accepting, _log).Open(later);
        if (failures.Count == 0)
        {
            PutInForce(plan);
            _snapshot = snapshot;
            _suspended = plan.Suspended.ToDictionary(
                s => s.Key, s => s.Value.Port == 0 ? _suspended.GetValueOrDefault(s.Key, s.Key.Requested) : s.Value);
        }

        return failures;
    }

    // Nothing is bound, retired or closed; what is accepted goes by the new snapshot all the same, where its address stays.
    private void Retarget(RoutingSnapshot snapshot)
    {
        foreach (PlannedBind<TSocket> bind in new ListenPlan<TSocket>(snapshot, _serving, [], static _ => false).Binds)
        {
            bind.Socket?.Target = bind.Target;
        }
    }

    /// <summary>
    /// Stops all accepting and closes all sockets, including the retiring ones. Runs once; all callers get the same task.
    /// </summary>
    public Task EndAsync()
    {
        lock (_gate)
        {
            return _end ??= EndAsync([.. _serving, .. _retiring.End()]);
        }
    }

    /// <summary>Call only after <see cref="EndAsync"/>.</summary>
    public void Dispose() => _retiring.Dispose();

    // Starts under the lock, so that the next thread to enter it sees that the end has begun.
    private async Task EndAsync(TSocket[] all)
    {
        _serving = [];
        await _retiring.CancelAsync().ConfigureAwait(false);
        await _accepting.EndAsync().ConfigureAwait(false);
        foreach (TSocket socket in all)
        {
            socket.Dispose();
        }
    }

    private void PutInForce(ListenPlan<TSocket> plan)
    {
        List<TSocket> began = [];
        foreach (PlannedBind<TSocket> bind in plan.Binds)
        {
            TSocket socket = bind.Socket!;
            socket.Requested = bind.Requested;
            socket.Target = bind.Target;
            if (!bind.IsNew)
            {
                socket.Apply(bind.Target.Listener.Settings);
                socket.Listen(bind.Target.Listener.Settings.Backlog);
            }

            bool returns = socket.IsRetiring;
            if (returns)
            {
                _retiring.Return(socket);
            }

            if (returns || bind.IsNew)
            {
                _accepting.Watch(socket);
                began.Add(socket);
            }
        }

        LogByListener(began, _log.Listening);
        foreach (string listener in began.Where(s => s.LacksMultipath).Select(s => s.Target.Listener.Name).Distinct())
        {
            _log.LacksMultipath(listener);
        }

        _serving = [.. plan.Binds.Select(p => p.Socket!)];
        LogByListener(plan.Leaving, _log.NoLongerListening);
        foreach (TSocket socket in plan.Leaving)
        {
            _retiring.Begin(socket);
        }
    }

    // A range of ports takes one line.
    private static void LogByListener(IReadOnlyList<TSocket> sockets, Action<string, string> line)
    {
        foreach (IGrouping<string, TSocket> listener in sockets.GroupBy(s => s.Target.Listener.Name))
        {
            foreach (string addresses in PortSpan.Compact(listener.Select(s => s.Endpoint)))
            {
                line(addresses, listener.Key);
            }
        }
    }
}
