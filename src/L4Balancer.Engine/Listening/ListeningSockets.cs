using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Listening;

/// <summary>
/// The listening sockets of an engine, which follow the snapshots. An address that stays keeps its socket, and with it all queued
/// connections. One that leaves is retired: it takes no new SYN, serves queued connections and handshakes in progress, and is closed
/// after a second. Any thread may call any member.
/// </summary>
internal sealed class ListeningSockets<TSocket>(IAcceptControl<TSocket> accepting, EngineOptions options, ILogger log) : IDisposable
    where TSocket : ListeningSocket
{
    /// <summary>Time for handshakes in progress at a retirement to complete.</summary>
    private static readonly TimeSpan Retirement = TimeSpan.FromSeconds(1);

    /// <summary>Failures that are reported one by one.</summary>
    private const int MostFailures = 20;

    /// <summary>Time between two attempts to empty a queue.</summary>
    private static readonly TimeSpan Again = TimeSpan.FromMilliseconds(5);

    /// <summary>Held while the sockets change; event loops only try to enter it, and never block on it.</summary>
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _ending = new();
    private readonly List<TSocket> _retiring = [];
    private Dictionary<(string Listener, Endpoint Requested), Endpoint> _suspended = [];
    private RoutingSnapshot? _snapshot;
    private volatile TSocket[] _serving = [];
    private Task? _end;
    private bool _paused;
    private bool _wasPublished;

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
        var inherited = new InheritedSockets(options.Inherited, options.TakenOver);
        IReadOnlyList<ListenFailure> failures = Publish(snapshot, inherited);
        inherited.CloseRest(log);
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
                    log.NotListeningAgain(failure.Message);
                }
            }
        }
    }

    /// <param name="later">Failures to bind again what was not listened on because of its pool are added: they prevent nothing.</param>
    private List<ListenFailure> Publish(RoutingSnapshot snapshot, InheritedSockets? inherited, List<ListenFailure> later)
    {
        var plan = new ListenPlan<TSocket>(snapshot, _serving, _retiring, endpoint => inherited?.HasOfService(endpoint) ?? false);
        List<ListenFailure> failures = Open(plan, inherited, later);
        if (failures.Count == 0)
        {
            PutInForce(plan);
            _snapshot = snapshot;
            _suspended = plan.Suspended.ToDictionary(s => s.Key, s => s.Value.Port == 0 ? AddressOf(s.Key) : s.Value);
        }

        return failures;
    }

    private Endpoint AddressOf((string Listener, Endpoint Requested) bind) => _suspended.GetValueOrDefault(bind, bind.Requested);

    /// <summary>Stops all accepting and closes all sockets, including the retiring ones. Runs once; all callers get the same task.</summary>
    public Task EndAsync()
    {
        lock (_gate)
        {
            return _end ??= EndAsync([.. _serving, .. _retiring]);
        }
    }

    /// <summary>Call only after <see cref="EndAsync"/>.</summary>
    public void Dispose() => _ending.Dispose();

    // Starts under the lock, so that the next thread to enter it sees that the end has begun.
    private async Task EndAsync(TSocket[] all)
    {
        _serving = [];
        _retiring.Clear();
        await _ending.CancelAsync().ConfigureAwait(false);
        await accepting.EndAsync().ConfigureAwait(false);
        foreach (TSocket socket in all)
        {
            socket.Dispose();
        }
    }

    // All are bound before any listens: a socket that listens may have taken connections by the time another one fails.
    private List<ListenFailure> Open(ListenPlan<TSocket> plan, InheritedSockets? inherited, List<ListenFailure> later)
    {
        List<ListenFailure> failures = [];
        List<TSocket> sharing = [];
        List<PlannedBind<TSocket>> opened = [];
        foreach (PlannedBind<TSocket> bind in plan.Binds.Where(p => p.Socket is null).ToArray())
        {
            SocketError error = Bind(bind, plan, inherited, sharing);
            if (bind.Socket is null)
            {
                Fail(bind, error);
            }
            else
            {
                opened.Add(bind);
            }
        }

        if (failures.Count == 0)
        {
            foreach (PlannedBind<TSocket> bind in opened)
            {
                SocketError error = bind.Socket!.Listen(bind.Target.Listener.Settings.Backlog);
                if (error != SocketError.Success)
                {
                    Fail(bind, error);
                }
            }
        }

        // A second daemon has to find the port in use, as before.
        sharing.ForEach(s => s.SharePort(false));
        if (failures.Count > 0)
        {
            opened.ForEach(p => p.Socket!.Dispose());
        }
        else
        {
            opened.Where(p => !plan.Binds.Contains(p)).ToList().ForEach(p => p.Socket!.Dispose());
        }

        if (failures.Count > MostFailures)
        {
            // A range of ports may fail a thousand times for one reason.
            int more = failures.Count - MostFailures;
            ListenFailure first = failures[MostFailures];
            failures.RemoveRange(MostFailures, more);
            string message = $"{more} more addresses cannot be listened on, the first of them {first.Endpoint} (listener {first.Listener})";
            failures.Add(first with { Message = message });
        }

        return failures;

        void Fail(PlannedBind<TSocket> bind, SocketError error)
        {
            Endpoint address = AddressOf(bind.Key);
            if (_suspended.ContainsKey(bind.Key))
            {
                later.Add(ListenFailure.From(bind.Target.Listener.Name, address, error));
                plan.Suspend(bind, address);
            }
            else
            {
                failures.Add(ListenFailure.From(bind.Target.Listener.Name, address, error));
            }
        }
    }

    private SocketError Bind(
        PlannedBind<TSocket> bind, ListenPlan<TSocket> plan, InheritedSockets? inherited, List<TSocket> sharing)
    {
        bind.IsNew = true;
        SocketError error = SocketError.Success;
        if (inherited?.Take(bind.Target.Listener.Name, bind.Requested) is { } given)
        {
            bind.Socket = accepting.Inherit(given.Descriptor, bind.Requested, bind.Target, given.IsFromService);

            // The process that it comes from may still serve, also if this one fails to start.
            bind.Socket.LeaveFile();
            log.Inherited(bind.Requested);
            if (bind.Socket.TakesBothFamilies)
            {
                log.InheritedTakesIPv4(bind.Requested);
            }
        }
        else
        {
            // bind(2) would return EADDRINUSE because of a socket that is about to leave: the wildcard, or an address that it covers.
            TSocket[] inTheWay = [.. plan.InTheWayOf(bind)];
            foreach (TSocket socket in inTheWay)
            {
                socket.SharePort(true);
                sharing.Add(socket);
            }

            (bind.Socket, error) = accepting.Bind(AddressOf(bind.Key), bind.Target, share: inTheWay.Length > 0);
            if (bind.Socket is not null && inTheWay.Length > 0)
            {
                sharing.Add(bind.Socket);
            }
        }

        bind.Socket?.Apply(bind.Target.Listener.Settings);
        return error;
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
                _retiring.Remove(socket);
                socket.CancelRetirement();
            }

            if (returns || bind.IsNew)
            {
                accepting.Watch(socket);
                began.Add(socket);
            }
        }

        LogByListener(began, log.Listening);
        foreach (string listener in began.Where(s => s.LacksMultipath).Select(s => s.Target.Listener.Name).Distinct())
        {
            log.LacksMultipath(listener);
        }

        _serving = [.. plan.Binds.Select(p => p.Socket!)];
        LogByListener(plan.Leaving, log.NoLongerListening);
        foreach (TSocket socket in plan.Leaving)
        {
            TimeSpan time = socket.BeginRetirement() ? Retirement : TimeSpan.Zero;
            _retiring.Add(socket);
            _ = CloseLaterAsync(socket, socket.RetirementEpoch, time);
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

    private async Task CloseLaterAsync(TSocket socket, int epoch, TimeSpan time)
    {
        CancellationToken ending = _ending.Token;
        try
        {
            await Task.Delay(time, options.Clock, ending).ConfigureAwait(false);
            Task unwatched;
            lock (_gate)
            {
                if (_end is not null || socket.RetirementEpoch != epoch)
                {
                    return;
                }

                // Under the lock, so that this request precedes the request to watch that a return makes.
                unwatched = accepting.UnwatchAsync(socket);
            }

            await unwatched.ConfigureAwait(false);
            while (socket.RetirementEpoch == epoch && !await accepting.DrainBacklogAsync(socket, () => TryClose(socket, epoch)).ConfigureAwait(false))
            {
                await Task.Delay(Again, options.Clock, ending).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // The engine is stopping and closes the socket.
        }
    }

    /// <returns>False if another thread holds the lock and may be changing the socket.</returns>
    private bool TryClose(TSocket socket, int epoch)
    {
        if (!_gate.TryEnter())
        {
            return false;
        }

        try
        {
            if (_end is null && socket.RetirementEpoch == epoch)
            {
                _retiring.Remove(socket);
                socket.Dispose();
            }

            return true;
        }
        finally
        {
            _gate.Exit();
        }
    }
}
