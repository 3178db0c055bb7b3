using System.Collections.Immutable;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// Has the engine close and bind listening sockets as the health of pools requires (<c>on_pool_down = "stop-listening"</c>). What cannot be
/// bound again is tried until it can. Only the control loop calls it.
/// </summary>
internal sealed class ListenControl : ISnapshotParticipant, IAsyncDisposable
{
    private static readonly TimeSpan BetweenTries = TimeSpan.FromSeconds(1);

    private readonly IEngine _engine;
    private readonly ILogger _log;
    private readonly ITimer _timer;
    private readonly HashSet<string> _failing = [];
    private ImmutableArray<Listener> _watched = [];
    private bool[] _open = [];

    /// <param name="due">Called on any thread when <see cref="TryAgain"/> is due.</param>
    public ListenControl(IEngine engine, Action due, TimeProvider clock, ILogger log)
    {
        _engine = engine;
        _log = log;
        _timer = clock.CreateTimer(_ => due(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Commit(RoutingSnapshot? before, RoutingSnapshot now)
    {
        bool watchedBefore = !_watched.IsEmpty;
        _watched = [.. now.Listeners.Where(l => l.Settings.OnPoolDown == OnPoolDown.StopListening)];
        if (watchedBefore || !_watched.IsEmpty)
        {
            // The engine has applied the snapshot; what it could not bind again it reports only here.
            TryAgain();
        }
    }

    /// <summary>The health or the mode of a backend may have changed.</summary>
    public void Sync()
    {
        if (!_watched.Select(l => l.IsOpen).SequenceEqual(_open))
        {
            TryAgain();
        }
    }

    /// <summary>Binds what should be bound and is not.</summary>
    public void TryAgain()
    {
        _open = [.. _watched.Select(l => l.IsOpen)];
        IReadOnlyList<ListenFailure> failures = _engine.FollowPools();
        foreach (ListenFailure failure in failures.Where(f => _failing.Add(f.Message)))
        {
            _log.NotListeningAgain(failure.Message, Duration.Format(BetweenTries));
        }

        _failing.IntersectWith(failures.Select(f => f.Message));
        if (failures.Count > 0)
        {
            _timer.Change(BetweenTries, Timeout.InfiniteTimeSpan);
        }
    }

    public ValueTask DisposeAsync() => _timer.DisposeAsync();
}
