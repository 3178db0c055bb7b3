using System.Collections.Immutable;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// Keeps what packet listeners choose by up to date: whenever health, modes or slow start have changed it, the tables of these listeners are replaced a
/// moment later, all changes of that moment at once. Only the control loop calls it.
/// </summary>
internal sealed class PacketControl : ISnapshotParticipant, IAsyncDisposable
{
    /// <summary>From the first change to the new table. Many backends may change together; a table of a hundred backends is made in 0.3 ms.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    private static readonly TimeSpan BetweenTries = TimeSpan.FromSeconds(1);

    private readonly IPacketForwarding _forwarding;
    private readonly ILogger _log;
    private readonly ITimer _timer;
    private ImmutableArray<Listener> _listeners = [];

    // By listener, the revision of its pool that has been published.
    private Dictionary<Listener, int> _published = [];
    private bool _isDue;

    /// <param name="due">Called on any thread when <see cref="Publish"/> is due.</param>
    public PacketControl(IPacketForwarding forwarding, Action due, TimeProvider clock, ILogger log)
    {
        _forwarding = forwarding;
        _log = log;
        _timer = clock.CreateTimer(_ => due(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Puts the packet listeners of a snapshot in force that is about to be.</summary>
    /// <returns>Why it cannot; then nothing has changed.</returns>
    public IReadOnlyList<ListenFailure> Configure(RoutingSnapshot next) =>
        _listeners.IsEmpty && !next.Listeners.Any(static l => l.IsPacket) ? [] : _forwarding.Configure(next);

    public void Commit(RoutingSnapshot? before, RoutingSnapshot now)
    {
        _listeners = [.. now.Listeners.Where(static l => l.IsPacket)];
        _published = [];

        // What has been configured may be older than what has happened since.
        Sync();
    }

    /// <summary>Health, modes or ramps may have changed.</summary>
    public void Sync()
    {
        if (!_isDue && !_listeners.IsEmpty && _listeners.Any(IsOld))
        {
            _isDue = true;
            _timer.Change(Pause, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Publishes what has changed.</summary>
    public void Publish()
    {
        _isDue = false;
        foreach (Listener listener in _listeners.Where(IsOld).ToArray())
        {
            int revision = listener.Pool.Revision;
            if (_forwarding.Publish(listener) is string fault)
            {
                _log.PacketsNotPublished(listener.Name, fault, Duration.Format(BetweenTries));
                _isDue = true;
            }
            else
            {
                _published[listener] = revision;
            }
        }

        if (_isDue)
        {
            _timer.Change(BetweenTries, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>An operator has set the mode of a backend: without a table of flows, those that it has do not stay.</summary>
    public void ModeSet(Pool pool, Backend backend, BackendMode mode)
    {
        if (mode == BackendMode.Ready)
        {
            return;
        }

        foreach (Listener listener in _listeners.Where(l => l.Pool == pool && l.Settings is { Flows: 0, SecondChance: false }))
        {
            _log.FlowsBreak(pool.Name, backend.Name, listener.Name);
        }
    }

    public ValueTask DisposeAsync() => _timer.DisposeAsync();

    private bool IsOld(Listener listener) => !_published.TryGetValue(listener, out int revision) || revision != listener.Pool.Revision;
}
