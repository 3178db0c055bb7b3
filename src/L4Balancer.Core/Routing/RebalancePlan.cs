using System.Collections.Frozen;
using L4Balancer.Core.Accounting;

namespace L4Balancer.Core.Routing;

/// <summary>
/// What has to move so that the backends of a pool hold their fair shares: by weight, among those that take new connections. What backups
/// hold while primaries serve is to return to the primaries, as far as these have room. Connections of other backends (drained, down, removed)
/// are not shared out. Computed at one moment and not updated.
/// </summary>
public sealed class RebalancePlan
{
    private RebalancePlan(
        int connections, FrozenDictionary<BackendState, int> targets, FrozenDictionary<BackendState, int> surplus, int totalDeficit)
    {
        Connections = connections;
        Targets = targets;
        Surplus = surplus;
        TotalSurplus = surplus.Values.Sum();
        TotalDeficit = totalDeficit;
    }

    /// <summary>The number that is shared out: established connections that are not being closed.</summary>
    public int Connections { get; }

    /// <summary>The target of each backend that serves; 0 for a backup that holds connections while primaries serve.</summary>
    public FrozenDictionary<BackendState, int> Targets { get; }

    /// <summary>
    /// For each overloaded backend, the connections beyond its share and the tolerance; for a backup while primaries serve, what returns to
    /// them.
    /// </summary>
    public FrozenDictionary<BackendState, int> Surplus { get; }

    public int TotalSurplus { get; }

    /// <summary>How many connections the other backends lack, without a tolerance.</summary>
    public int TotalDeficit { get; }

    /// <param name="tolerance">Relative to the fair share: 0.01 permits one hundredth more.</param>
    /// <param name="atLeast">
    /// How many connections the pool will hold again: clients whose connections were closed a moment ago are still reconnecting, and must
    /// not make the shares smaller.
    /// </param>
    public static RebalancePlan For(Pool pool, double tolerance, int atLeast = 0)
    {
        ArgumentNullException.ThrowIfNull(pool);
        bool backupsServe = !pool.Backends.Any(b => !b.Settings.Backup && pool.Takes(b.Index));
        (Backend Backend, int Holds)[] taking = [.. pool.Backends.Where(b => pool.Takes(b.Index)).Select(b => (b, b.State.Staying))];
        (Backend Backend, int Holds)[] serving = [.. taking.Where(t => t.Backend.Settings.Backup == backupsServe)];
        (Backend Backend, int Holds)[] displaced = backupsServe ? [] : [.. taking.Where(t => t.Backend.Settings.Backup && t.Holds > 0)];
        int away = displaced.Sum(d => d.Holds);
        int returning = (int)Math.Min(away, RoomOf(serving.Select(s => s.Backend)));
        int connections = Math.Max(atLeast, serving.Sum(s => s.Holds) + returning);
        long weight = serving.Sum(s => (long)s.Backend.Weight);
        Dictionary<BackendState, int> targets = [];
        Dictionary<BackendState, int> surplus = [];
        double deficit = 0;
        foreach ((Backend backend, int holds) in serving)
        {
            double fair = (double)connections * backend.Weight / weight;
            targets.Add(backend.State, (int)Math.Ceiling(fair));
            deficit += Math.Max(0, fair - holds);
            int over = (int)Math.Floor(holds - (fair * (1 + tolerance)));
            if (over > 0)
            {
                surplus.Add(backend.State, over);
            }
        }

        foreach ((Backend backend, int holds) in displaced)
        {
            targets.Add(backend.State, 0);
            surplus.Add(backend.State, (int)((long)holds * returning / away));
        }

        return new RebalancePlan(connections, targets.ToFrozenDictionary(), surplus.ToFrozenDictionary(), (int)Math.Ceiling(deficit));
    }

    // A connection for which no primary has room would be refused.
    private static long RoomOf(IEnumerable<Backend> serving) => serving.Sum(b =>
        b.Settings.MaxConnections == 0 ? int.MaxValue : Math.Max(0L, b.Settings.MaxConnections - b.State.Load));

    /// <summary>The surplus, reduced in proportion to at most this many.</summary>
    public IReadOnlyDictionary<BackendState, int> AtMost(int most) => TotalSurplus <= most
        ? Surplus
        : Surplus.ToFrozenDictionary(s => s.Key, s => (int)((long)s.Value * Math.Max(0, most) / TotalSurplus));
}
