using System.IO.Enumeration;
using System.Runtime.InteropServices;
using System.Text.Json;
using L4Balancer.Admin.Answers;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Admin;

/// <summary>GET /v1/status: totals, computed for each request.</summary>
internal static class StatusReport
{
    private const string DescriptorFolder = "/proc/self/fd";

    public static StatusAnswer Of(AdminTarget target)
    {
        RoutingSnapshot snapshot = target.Control.Snapshot;
        ListenerState[] listeners = [.. snapshot.Listeners.Select(l => l.State), .. snapshot.Removed.Listeners];
        BackendState[] backends =
            [.. snapshot.Pools.SelectMany(p => p.Backends).Concat(snapshot.Removed.Backends).Select(b => b.State)];
        int pending = listeners.Sum(l => l.Pending);
        return new StatusAnswer(
            BuildVersion.Current.Version, BuildVersion.Current.Commit, RuntimeInformation.FrameworkDescription, target.Engine.Name,
            Environment.ProcessId, target.StartedAt.UtcDateTime, Math.Round((target.Clock.GetUtcNow() - target.StartedAt).TotalSeconds, 3),
            target.IsReady(), snapshot.Generation,
            new OpenAnswer(pending, backends.Sum(b => b.Active), snapshot.MaxConnections),
            listeners.Sum(l => l.Accepted), SumOf(listeners.Select(l => l.Refused)), SumOf(backends.Select(b => b.Closed)),
            backends.Sum(b => b.BytesToBackend), backends.Sum(b => b.BytesToClient),
            [.. ListenersOf(snapshot, target.Engine.Bound)], [.. snapshot.Pools.Select(Of)],
            [.. target.Engine.Load().Select(Of)], Descriptors(),
            [
                .. snapshot.Ports.Fullest(Instant.Now(target.Clock)).OrderBy(f => f.Use.Source.Label, StringComparer.Ordinal).Select(f => new SourcePortsAnswer(
                    f.Use.Source.Label, f.Use.Destination.ToString(), f.InUse, f.Use.Limit > 0 ? f.Use.Limit : null)),
            ]);
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

    // The engine lists bound addresses in the order of the configuration; during a reload it may be the order of the other configuration.
    private static IEnumerable<ListenerAnswer> ListenersOf(RoutingSnapshot snapshot, IReadOnlyList<Endpoint> bound)
    {
        bool agree = bound.Count == snapshot.Listeners.Sum(l => l.Settings.Bind.Length);
        int next = 0;
        foreach (Listener listener in snapshot.Listeners)
        {
            IEnumerable<Endpoint> addresses = agree ? bound.Skip(next).Take(listener.Settings.Bind.Length) : listener.Settings.Bind;
            next += listener.Settings.Bind.Length;
            yield return new ListenerAnswer(
                listener.Name, listener.Pool.Name, [.. addresses.Select(a => a.ToString())], listener.State.Accepted,
                listener.State.Pending, listener.State.Open, ReasonCounts.Of(listener.State.Refused));
        }
    }

    private static PoolAnswer Of(Pool pool)
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
            pool.Backends.Sum(b => (long)b.State.Active));
    }

    private static WorkerAnswer Of(WorkerLoad load) => new(load.Worker, load.Connections, Math.Round(load.CpuTime.TotalSeconds, 3));

    // Entries are counted without reading their names, which would allocate hundreds of thousands of strings. The directory's own
    // descriptor is not counted.
    private static DescriptorsAnswer Descriptors() => OperatingSystem.IsLinux()
        ? new DescriptorsAnswer(
            new FileSystemEnumerable<byte>(DescriptorFolder, static (ref FileSystemEntry _) => 0).LongCount() - 1,
            ResourceLimits.DescriptorLimit())
        : new DescriptorsAnswer(null, null);
}
