using System.Collections.Immutable;
using L4Balancer.Core.Health;

namespace L4Balancer.Core.Fleet;

/// <summary>What one balancer publishes of itself. Immutable.</summary>
/// <param name="Id">Its name in the fleet.</param>
/// <param name="Instance">Differs from process to process: two processes with one id are told apart by it.</param>
public sealed record FleetMember(string Id, string Instance)
{
    /// <summary>Where the process runs, for the message about two of them with one id.</summary>
    public string Host { get; init; } = "";

    public string Version { get; init; } = "";

    public DateTimeOffset Started { get; init; }

    /// <summary>Hash over the listeners and pools in force, without what differs from host to host.</summary>
    public string Configuration { get; init; } = "";

    /// <summary>Hash over the table that <c>balance</c> uses, by pool.</summary>
    public ImmutableSortedDictionary<string, string> Rings { get; init; } = NoRings;

    /// <summary>What its own probes have found out, by pool and backend; without backends that it does not probe, or has not probed yet.</summary>
    public ImmutableSortedDictionary<string, ImmutableSortedDictionary<string, HealthState>> Health { get; init; } = NoHealth;

    /// <summary>Its public addresses.</summary>
    public ImmutableArray<string> Addresses { get; init; } = [];

    /// <summary>Whether it takes new connections; false while it drains and stops.</summary>
    public bool IsReady { get; init; } = true;

    public static ImmutableSortedDictionary<string, string> NoRings { get; } = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    public static ImmutableSortedDictionary<string, ImmutableSortedDictionary<string, HealthState>> NoHealth { get; } =
        ImmutableSortedDictionary.Create<string, ImmutableSortedDictionary<string, HealthState>>(StringComparer.Ordinal);

    public static ImmutableSortedDictionary<string, HealthState> NoBackends { get; } =
        ImmutableSortedDictionary.Create<string, HealthState>(StringComparer.Ordinal);

    /// <summary>What the other balancers' probes say, for a vote.</summary>
    /// <param name="members">Those that live now.</param>
    /// <param name="self">The id of this balancer, which does not count.</param>
    public static PeerViews ViewsOf(IEnumerable<FleetMember> members, string self)
    {
        ArgumentNullException.ThrowIfNull(members);
        Dictionary<(string, string), PeerViews.Count> counts = [];
        foreach (FleetMember member in members.Where(m => m.Id != self))
        {
            foreach ((string pool, ImmutableSortedDictionary<string, HealthState> backends) in member.Health)
            {
                foreach ((string backend, HealthState state) in backends)
                {
                    PeerViews.Count count = counts.GetValueOrDefault((pool, backend));
                    counts[(pool, backend)] = new PeerViews.Count(count.See + 1, count.Down + (state == HealthState.Up ? 0 : 1));
                }
            }
        }

        return new PeerViews(counts.ToImmutableDictionary());
    }
}
