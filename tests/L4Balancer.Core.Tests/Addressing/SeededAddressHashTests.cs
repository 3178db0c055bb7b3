using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Tests.Addressing;

/// <summary>Addresses that were chosen to collide, against a table whose key the chooser does not know.</summary>
internal sealed class SeededAddressHashTests
{
    private const int Count = 28_000;

    [Test]
    public void Addresses_of_one_bucket_of_the_plain_hash_are_spread()
    {
        HostAddress[] chosen = Chosen();
        var hash = new SeededAddressHash(20_261_128);

        Assert.That(chosen.Select(a => a.GetHashCode()).Distinct().Count(), Is.EqualTo(1), "that is what makes them dangerous");
        Assert.That(chosen.Select(hash.GetHashCode).Distinct().Count(), Is.GreaterThan(Count * 99 / 100));
    }

    [Test]
    public void Another_key_spreads_them_otherwise_and_equal_addresses_meet()
    {
        HostAddress[] chosen = Chosen();
        var one = new SeededAddressHash(1);
        var two = new SeededAddressHash(2);
        HostAddress first = chosen[0];

        Assert.That(chosen.Count(a => one.GetHashCode(a) == two.GetHashCode(a)), Is.LessThan(10));
        Assert.That(one.Equals(first, chosen[0]) && one.GetHashCode(first) == one.GetHashCode(chosen[0]), Is.True);
    }

    [Test]
    public void Neighbours_and_v4_addresses_are_spread_too()
    {
        IEnumerable<HostAddress> networks = Enumerable.Range(0, Count).Select(i => new HostAddress(0x2001_0DB8_0000_0000 + (ulong)i, 0));
        IEnumerable<HostAddress> v4 = Enumerable.Range(0, Count).Select(i => HostAddress.FromV4(0x0A00_0000 + (uint)i));
        var hash = new SeededAddressHash(20_261_128);
        foreach (IEnumerable<HostAddress> addresses in new[] { networks, v4 })
        {
            int[] buckets = new int[64];
            foreach (HostAddress address in addresses)
            {
                buckets[(uint)hash.GetHashCode(address) % 64]++;
            }

            Assert.That(buckets, Has.All.InRange(Count / 64 / 2, Count / 64 * 2));
        }
    }

    // The hash of a 64-bit number is the exclusive or of its halves, here the same for all.
    private static HostAddress[] Chosen() =>
        [.. Enumerable.Range(0, Count).Select(i => new HostAddress(((ulong)(uint)i << 32) | ((uint)i ^ 0x2001_0DB8u), 0))];
}
