using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;

namespace L4Balancer.Discovery;

/// <summary>One key of etcd, or one node of ZooKeeper, under the prefix of a pool.</summary>
/// <param name="Node">The name without the prefix.</param>
/// <param name="Value">UTF-8, as <see cref="RegisteredBackend"/> describes it.</param>
/// <param name="Changed">When it was changed last, in the store's own count.</param>
internal readonly record struct Registration(string Node, ReadOnlyMemory<byte> Value, long Changed)
{
    /// <summary>A pool with more backends is taken for a mistake.</summary>
    public const int Most = 10_000;

    /// <summary>
    /// The reading that all registrations together make. One that is not that of a backend makes all of them unknown: it may be half written, and
    /// leaving it out would remove a living backend. Where two have the same address, as when a backend has registered again before its former
    /// session expired, the later change is used.
    /// </summary>
    public static SourceReading Read(IReadOnlyCollection<Registration> all, string version)
    {
        if (all.Count > Most)
        {
            return new SourceReading.Unknown($"{all.Count} backends are registered; at most {Most} are read");
        }

        var byAddress = new Dictionary<Core.Addressing.Endpoint, (DiscoveredBackend Backend, string Node, long Changed)>();
        foreach (Registration one in all)
        {
            if (!RegisteredBackend.TryParse(one.Node, one.Value.Span, out DiscoveredBackend? backend, out string why))
            {
                return new SourceReading.Unknown($"{Quoted.Text(one.Node)}: {why}");
            }

            (DiscoveredBackend Backend, string Node, long Changed) read = (backend!, one.Node, one.Changed);
            if (!byAddress.TryGetValue(backend!.Address, out var other) || IsLater(read, other))
            {
                byAddress[backend.Address] = read;
            }
        }

        return new SourceReading.Complete([.. byAddress.Values.OrderBy(b => b.Node, StringComparer.Ordinal).Select(b => b.Backend)], version);
    }

    // Every balancer reads the same, in whatever order its store answers.
    private static bool IsLater((DiscoveredBackend Backend, string Node, long Changed) one, (DiscoveredBackend Backend, string Node, long Changed) other) =>
        one.Changed != other.Changed ? one.Changed > other.Changed : string.CompareOrdinal(one.Node, other.Node) > 0;
}
