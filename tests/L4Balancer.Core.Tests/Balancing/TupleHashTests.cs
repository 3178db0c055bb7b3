using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Tests.Balancing;

/// <summary>The vectors of docs/hashing.md, computed by a second implementation in another language.</summary>
[TestFixture]
internal sealed class TupleHashTests
{
    private const TupleFields All = TupleFields.All;
    private const TupleFields SourceIpDestinationPort = TupleFields.SourceIp | TupleFields.DestinationPort;
    private const TupleFields Destination = TupleFields.DestinationIp | TupleFields.DestinationPort;
    private const TupleFields NetDestinationPort = TupleFields.SourceNet | TupleFields.DestinationPort;
    private const TupleFields Source = TupleFields.SourceIp | TupleFields.SourcePort;

    [TestCase("192.0.2.10:40000", "198.51.100.1:443", All,
        "00000000000000000000ffffc000020a9c4000000000000000000000ffffc633640101bb")]
    [TestCase("[2001:db8::10]:40000", "[2001:db8:1::1]:443", All,
        "20010db80000000000000000000000109c4020010db800010000000000000000000101bb")]
    [TestCase("[2001:db8::ffff]:65535", "203.0.113.9:8080", All,
        "20010db800000000000000000000ffffffff00000000000000000000ffffcb0071091f90")]
    [TestCase("192.0.2.10:40000", "198.51.100.1:443", SourceIpDestinationPort, "00000000000000000000ffffc000020a01bb")]
    [TestCase("192.0.2.10:40000", "198.51.100.1:443", Destination, "00000000000000000000ffffc633640101bb")]
    [TestCase("192.0.2.10:40000", "198.51.100.1:443", TupleFields.SourcePort, "9c40")]
    [TestCase("192.0.2.10:40000", "198.51.100.1:443", TupleFields.None, "")]
    public void Canonical_bytes_are_the_chosen_fields_in_network_order(string source, string destination, TupleFields fields, string expected)
    {
        Span<byte> bytes = stackalloc byte[TupleHash.MaxLength];
        int length = TupleHash.Write(Samples.Tuple(source, destination), fields, bytes);

        Assert.That(Convert.ToHexStringLower(bytes[..length]), Is.EqualTo(expected));
    }

    [TestCase("192.0.2.10:40000", "198.51.100.1:443", All, 0UL, 0x25B3FE9E8CA76B85UL)]
    [TestCase("192.0.2.10:40000", "198.51.100.1:443", All, 1UL, 0xC8764313514D116EUL)]
    [TestCase("192.0.2.10:40000", "198.51.100.1:443", All, 33UL, 0x7A8DCECB34B39784UL)]
    [TestCase("192.0.2.10:40000", "198.51.100.1:443", TupleFields.SourceIp, 0UL, 0x4C0CDCF774FA6A94UL)]
    [TestCase("192.0.2.10:40000", "198.51.100.1:443", SourceIpDestinationPort, 0UL, 0x5F365A805A358D9EUL)]
    [TestCase("192.0.2.10:40000", "198.51.100.1:443", Destination, 0UL, 0x4B9913600EF303D0UL)]
    [TestCase("192.0.2.10:40000", "198.51.100.1:443", Source, 0UL, 0xDA041D4008134249UL)]
    [TestCase("192.0.2.10:40000", "198.51.100.1:443", TupleFields.SourcePort, 0UL, 0x0E3FB43F558BA8B2UL)]
    [TestCase("[2001:db8::10]:40000", "[2001:db8:1::1]:443", All, 0UL, 0x127220DFDC32A2BBUL)]
    [TestCase("[2001:db8::10]:40000", "[2001:db8:1::1]:443", All, 1UL, 0x0EC9476684EBBCC6UL)]
    [TestCase("[2001:db8::10]:40000", "[2001:db8:1::1]:443", TupleFields.SourceIp, 0UL, 0xD902B0523648434CUL)]
    [TestCase("[2001:db8::ffff]:65535", "203.0.113.9:8080", All, 0UL, 0x5A535BCA43A55832UL)]
    [TestCase("0.0.0.0:0", "[::]:0", All, 0UL, 0xF051179BBD7A6E16UL)]
    public void Hash_agrees_with_the_published_vectors(string source, string destination, TupleFields fields, ulong seed, ulong expected) =>
        Assert.That(TupleHash.Of(Samples.Tuple(source, destination), fields, seed), Is.EqualTo(expected));

    [TestCase("192.0.2.10:40000", TupleFields.SourceNet, 24, 64, "00000000000000000000ffffc0000200", 0x0B05B865B1847749UL)]
    [TestCase("192.0.2.10:40000", NetDestinationPort, 24, 64, "00000000000000000000ffffc000020001bb", 0xF3C0D7F5CBFC5092UL)]
    [TestCase("192.0.2.200:1", NetDestinationPort, 24, 64, "00000000000000000000ffffc000020001bb", 0xF3C0D7F5CBFC5092UL)]
    [TestCase("[::ffff:192.0.2.10]:40000", TupleFields.SourceNet, 24, 64, "00000000000000000000ffffc0000200", 0x0B05B865B1847749UL)]
    [TestCase("192.0.2.10:40000", TupleFields.SourceNet, 16, 64, "00000000000000000000ffffc0000000", 0x70C6F3BB5610AEA2UL)]
    [TestCase("192.0.2.10:40000", TupleFields.SourceNet, 32, 64, "00000000000000000000ffffc000020a", 0x4C0CDCF774FA6A94UL)]
    [TestCase("[2001:db8:0:7:1:2:3:4]:40000", TupleFields.SourceNet, 24, 64, "20010db8000000070000000000000000", 0x65FFAE65F5085DBFUL)]
    [TestCase("[2001:db8:0:7:1:2:3:4]:40000", NetDestinationPort, 24, 56, "20010db800000000000000000000000001bb", 0x7201457F195A2EF4UL)]
    public void The_network_of_the_source_agrees_with_the_published_vectors(
        string source, TupleFields fields, int v4, int v6, string bytes, ulong hash)
    {
        var key = new TupleKey(fields, new SourceNet(v4, v6));
        FourTuple tuple = Samples.Tuple(source, "198.51.100.1:443");
        Span<byte> written = stackalloc byte[TupleHash.MaxLength];

        Assert.That(Convert.ToHexStringLower(written[..TupleHash.Write(tuple, key, written)]), Is.EqualTo(bytes));
        Assert.That(TupleHash.Of(tuple, key, 0), Is.EqualTo(hash));
    }

    [Test]
    public void V4_mapped_client_hashes_as_the_v4_client()
    {
        FourTuple mapped = Samples.Tuple("[::ffff:192.0.2.10]:40000", "[::ffff:198.51.100.1]:443");

        Assert.That(TupleHash.Of(mapped, All, 0), Is.EqualTo(0x25B3FE9E8CA76B85UL));
    }

    [Test]
    public void Field_that_is_not_chosen_does_not_matter(
        [Values(TupleFields.SourceIp, TupleFields.SourcePort, TupleFields.DestinationIp, TupleFields.DestinationPort)] TupleFields field)
    {
        FourTuple tuple = Samples.Tuple("192.0.2.10:40000", "198.51.100.1:443");
        FourTuple other = field switch
        {
            TupleFields.SourceIp => Samples.Tuple("192.0.2.11:40000", "198.51.100.1:443"),
            TupleFields.SourcePort => Samples.Tuple("192.0.2.10:40001", "198.51.100.1:443"),
            TupleFields.DestinationIp => Samples.Tuple("192.0.2.10:40000", "198.51.100.2:443"),
            _ => Samples.Tuple("192.0.2.10:40000", "198.51.100.1:444"),
        };

        Assert.Multiple(() =>
        {
            Assert.That(TupleHash.Of(other, All & ~field, 0), Is.EqualTo(TupleHash.Of(tuple, All & ~field, 0)));
            Assert.That(TupleHash.Of(other, field, 0), Is.Not.EqualTo(TupleHash.Of(tuple, field, 0)));
        });
    }
}
