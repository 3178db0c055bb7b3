using System.Runtime.InteropServices;
using System.Text.Json;
using L4Balancer.Admin.Answers;
using L4Balancer.Control;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Discovery;
using L4Balancer.Engine;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Packets;
using L4Balancer.Packets;

namespace L4Balancer.Admin;

/// <summary>GET /v1/status: totals, computed for each request.</summary>
internal static class StatusReport
{
    public static StatusAnswer Of(AdminTarget target)
    {
        RoutingSnapshot snapshot = target.Control.Snapshot;
        ListenerState[] listeners = [.. snapshot.Listeners.Select(l => l.State), .. snapshot.Removed.Listeners];
        BackendState[] backends =
            [.. snapshot.Pools.SelectMany(p => p.Backends).Concat(snapshot.Removed.Backends).Select(b => b.State)];
        int pending = listeners.Sum(l => l.Pending);
        PacketTotals packets = target.Packets();
        return new StatusAnswer(
            Environment.MachineName, BuildVersion.Current.Version, BuildVersion.Current.Commit, RuntimeInformation.FrameworkDescription, target.Engine.Name,
            Environment.ProcessId, target.StartedAt.UtcDateTime, Math.Round((target.Clock.GetUtcNow() - target.StartedAt).TotalSeconds, 3),
            target.IsReady(), snapshot.Generation,
            new OpenAnswer(pending, backends.Sum(b => b.Active), snapshot.MaxConnections),
            listeners.Sum(l => l.Accepted), SumOf(listeners.Select(l => l.Refused)), SumOf(backends.Select(b => b.Closed)),
            backends.Sum(b => b.BytesToBackend), backends.Sum(b => b.BytesToClient),
            [.. ListenersOf(snapshot, target.Engine.Bound, packets)], [.. snapshot.Pools.Select(p => Of(p, target.Control.RebalanceOf(p.State), Of(target.Control.DiscoveryOf(p.Name), target.Clock)))],
            [.. target.Engine.LoopStatistics().Select(Of)], DescriptorsOfProcess(),
            [
                .. snapshot.Ports.Fullest(Instant.Now(target.Clock)).OrderBy(f => f.Use.Source.Label, StringComparer.Ordinal).Select(f => new SourcePortsAnswer(
                    f.Use.Source.Label, f.Use.Destination.ToString(), f.InUse, f.Use.Limit > 0 ? f.Use.Limit : null)),
            ],
            FleetReport.StatusOf(target.Fleet, target.Control.Now.Desired),
            target.Upgrader?.Now is { } upgrade ? UpgradeRoute.Of(upgrade, target.Clock) : null,
            packets.Drops.IsEmpty ? null : packets.Drops.ToDictionary(static d => d.Reason, static d => d.Packets));
    }

    /// <summary>The value as written in the configuration.</summary>
    public static string NameOf(BalanceKind balance) => JsonNamingPolicy.KebabCaseLower.ConvertName(balance.ToString());

    private static SortedDictionary<string, long> SumOf(IEnumerable<ReasonCounters> all)
    {
        SortedDictionary<string, long> sum = new(StringComparer.Ordinal);
        foreach (ReasonCounters counters in all)
        {
            ReasonCounts.Add(sum, counters);
        }

        return sum;
    }

    // The engine lists bound addresses in the order of the configuration; during a reload it may be the order of the other configuration. A
    // listener whose pool is down may have none.
    private static IEnumerable<ListenerAnswer> ListenersOf(RoutingSnapshot snapshot, IReadOnlyList<Endpoint> bound, PacketTotals packets)
    {
        bool all = bound.Count == snapshot.Listeners.Where(static l => !l.IsPacket).Sum(l => l.Settings.Bind.Length);
        bool agree = all || bound.Count == snapshot.Listeners.Where(l => l.IsOpen && !l.IsPacket).Sum(l => l.Settings.Bind.Length);
        int next = 0;
        foreach (Listener listener in snapshot.Listeners)
        {
            int count = (all || listener.IsOpen) && !listener.IsPacket ? listener.Settings.Bind.Length : 0;
            IEnumerable<Endpoint> addresses = agree && !listener.IsPacket ? bound.Skip(next).Take(count) : listener.Settings.Bind;
            next += count;
            yield return new ListenerAnswer(
                listener.Name, listener.Pool.Name, [.. PortSpan.Compact(addresses)], listener.State.Accepted,
                listener.State.Pending, listener.State.Open, ReasonCounts.Of(listener.State.Refused),
                packets.OfListener(listener.Name) is { } reading ? Of(listener.Settings, reading) : null);
        }
    }

    private static PacketListenerAnswer Of(ListenerSettings settings, PacketListenerReading reading) => new(
        settings.Interface, JsonNamingPolicy.KebabCaseLower.ConvertName(settings.Forward.ToString()), reading.Attachment, reading.Flows, settings.Flows);

    private static PoolAnswer Of(Pool pool, Rebalance? rebalance, DiscoveryAnswer? discovery)
    {
        var states = new int[Enum.GetValues<BackendStatus>().Length];
        foreach (Backend backend in pool.Backends)
        {
            states[(int)pool.StatusOf(backend.Index)]++;
        }

        return new PoolAnswer(
            pool.Name, NameOf(pool.Settings.Balance), pool.Backends.Length, states[(int)BackendStatus.Up],
            states[(int)BackendStatus.Degraded], states[(int)BackendStatus.Down],
            states[(int)BackendStatus.Draining], states[(int)BackendStatus.Maintenance], states[(int)BackendStatus.Checking],
            pool.Backends.Sum(b => (long)b.State.Active), pool.HasAvailable,
            rebalance is null ? null : new RebalancingAnswer(rebalance.Planned, rebalance.Closed), discovery);
    }

    private static DiscoveryAnswer? Of(DiscoveryStatus? status, TimeProvider clock)
    {
        if (status is null)
        {
            return null;
        }

        Instant now = Instant.Now(clock);
        Belief belief = status.Belief;
        return new DiscoveryAnswer(
            status.Source, belief.Count, belief.Version, Math.Round(status.Age(now).TotalSeconds, 3), status.Faults,
            belief.Fault.Length == 0 ? null : belief.Fault,
            belief.Held is not { } held ? null : new HeldSetAnswer(held.Set.Length, held.Version, Math.Round((now - held.Since).TotalSeconds, 3)));
    }

    private static WorkerAnswer Of(WorkerLoad load) => new(load.Worker, load.Connections, Math.Round(load.CpuTime.TotalSeconds, 3));

    private static DescriptorsAnswer DescriptorsOfProcess() => OperatingSystem.IsLinux()
        ? new DescriptorsAnswer(Descriptors.CountOpen(), ResourceLimits.DescriptorLimit())
        : new DescriptorsAnswer(null, null);
}
