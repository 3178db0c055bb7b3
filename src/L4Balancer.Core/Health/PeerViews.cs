using System.Collections.Immutable;

namespace L4Balancer.Core.Health;

/// <summary>
/// How many other balancers of the fleet probe each backend, and how many of them hold it down. Immutable; null instead of it means that each balancer
/// decides alone.
/// </summary>
public sealed class PeerViews(ImmutableDictionary<(string Pool, string Backend), PeerViews.Count> counts)
{
    public static PeerViews None { get; } = new(ImmutableDictionary<(string, string), Count>.Empty);

    /// <summary>Zero of zero if no other balancer probes it.</summary>
    public Count this[string pool, string backend] => counts.GetValueOrDefault((pool, backend));

    public bool HasSameValues(PeerViews other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return counts.Count == other.Counts.Count && counts.All(c => other.Counts.TryGetValue(c.Key, out Count known) && known == c.Value);
    }

    private ImmutableDictionary<(string Pool, string Backend), Count> Counts => counts;

    /// <param name="See">Balancers whose own probes have decided on the backend.</param>
    /// <param name="Down">Those of them that give it no connections by their own probes.</param>
    public readonly record struct Count(int See, int Down);
}
