using System.Collections.Frozen;

namespace L4Balancer.Core.Addressing;

/// <summary>
/// Many address ranges, asked as one: a look-up for each length of prefix that occurs, however many ranges there are. Immutable; any
/// thread; allocates nothing.
/// </summary>
public sealed class PrefixSet
{
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
            // A short IPv6 prefix of zeros would otherwise hold all of IPv4 as well.
            if ((!address.IsV4 || bits >= Cidr.MappedLength) && networks.Contains(address.Masked(bits)))
            {
                return true;
            }
        }

        return false;
    }
}
