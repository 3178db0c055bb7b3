using System.Collections.Frozen;

namespace L4Balancer.Core.Addressing;

/// <summary>
/// A set of address ranges. A query costs one hash look-up for each distinct prefix length, independent of the number of ranges.
/// Immutable; any thread; allocates nothing.
/// </summary>
public sealed class PrefixSet
{
    private readonly (int Bits, FrozenSet<HostAddress> Networks)[] _byLength;

    private readonly bool _hasUnix;

    public PrefixSet(IEnumerable<Cidr> ranges)
    {
        Cidr[] all = [.. ranges];
        _hasUnix = all.Contains(Cidr.Unix);
        _byLength =
        [
            .. all.Where(r => r != Cidr.Unix).GroupBy(r => r.MappedBits).OrderBy(g => g.Key)
                .Select(g => (g.Key, g.Select(r => r.Network.Masked(g.Key)).ToFrozenSet())),
        ];
    }

    public bool IsEmpty => _byLength.Length == 0 && !_hasUnix;

    public bool Contains(HostAddress address)
    {
        // The address of the clients of UNIX sockets, which are in no range.
        if (address == default)
        {
            return _hasUnix;
        }

        foreach ((int bits, FrozenSet<HostAddress> networks) in _byLength)
        {
            // A short IPv6 prefix of zeros would otherwise also match every IPv4 address.
            if ((!address.IsV4 || bits >= Cidr.MappedLength) && networks.Contains(address.Masked(bits)))
            {
                return true;
            }
        }

        return false;
    }
}
