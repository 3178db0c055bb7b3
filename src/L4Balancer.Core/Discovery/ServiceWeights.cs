using System.Collections.Immutable;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Discovery;

/// <summary>One SRV record (RFC 2782) with the addresses of its target.</summary>
/// <param name="Priority">Lower is preferred.</param>
/// <param name="Weight">0 to 65535, among the records of one priority.</param>
public readonly record struct ServiceTarget(int Priority, int Weight, int Port, IReadOnlyList<HostAddress> Addresses);

/// <summary>The backends that SRV records stand for.</summary>
public static class ServiceWeights
{
    private const int MaxWeight = 1000;

    /// <summary>The weight of each where no record has one: RFC 2782 has 0 for records among which no choice is meant.</summary>
    private const int Equal = 100;

    /// <summary>
    /// The records of the lowest priority are primaries, all others backups. Weights above 1000 are scaled, so that the largest of each group is
    /// 1000; a weight of 0 beside others becomes 1, because the RFC gives such a record a small chance, and 0 would take it out.
    /// </summary>
    public static ImmutableArray<DiscoveredBackend> BackendsOf(IEnumerable<ServiceTarget> targets)
    {
        ServiceTarget[] all = [.. targets];
        if (all.Length == 0)
        {
            return [];
        }

        int first = all.Min(static t => t.Priority);
        ImmutableArray<DiscoveredBackend>.Builder backends = ImmutableArray.CreateBuilder<DiscoveredBackend>();
        foreach (bool backup in (ReadOnlySpan<bool>)[false, true])
        {
            ServiceTarget[] group = [.. all.Where(t => t.Priority > first == backup)];
            int largest = group.Length == 0 ? 0 : group.Max(static t => t.Weight);
            foreach (ServiceTarget target in group)
            {
                backends.AddRange(target.Addresses.Select(a => new DiscoveredBackend(new Endpoint(a, (ushort)target.Port))
                {
                    Weight = Scaled(target.Weight, largest),
                    Backup = backup,
                }));
            }
        }

        return backends.ToImmutable();
    }

    private static int Scaled(int weight, int largest) =>
        largest == 0 ? Equal
        : largest <= MaxWeight ? Math.Max(1, weight)
        : Math.Max(1, (int)Math.Round((double)weight * MaxWeight / largest));
}
