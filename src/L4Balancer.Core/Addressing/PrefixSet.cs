using System.Collections.Frozen;

namespace L4Balancer.Core.Addressing;

/// <summary>
/// A set of address ranges. A query costs one hash look-up for each distinct prefix length, independent of the number of ranges.
/// Immutable; any thread; allocates nothing.
/// </summary>
public sealed class PrefixSet
{
    private const int AllBits = 128;

    private readonly (int Bits, FrozenSet<HostAddress> Networks)[] _byLength;

    public PrefixSet(IEnumerable<Cidr> ranges) => _byLength =
    [
        .. ranges.GroupBy(r => r.MappedBits).OrderBy(g => g.Key)
            .Select(g => (g.Key, g.Select(r => r.Network.Masked(g.Key)).ToFrozenSet())),
    ];

    public bool IsEmpty => _byLength.Length == 0;

    public bool Contains(HostAddress address)
    {
        foreach ((int bits, FrozenSet<HostAddress> networks) in _byLength)
        {
            // A short IPv6 prefix of zeros would otherwise also match every IPv4 address, and the clients of UNIX sockets (Cidr.Unix).
            bool applies = (!address.IsV4 || bits >= Cidr.MappedLength) && (address != default || bits == AllBits);
            if (applies && networks.Contains(address.Masked(bits)))
            {
                return true;
            }
        }

        return false;
    }
}
