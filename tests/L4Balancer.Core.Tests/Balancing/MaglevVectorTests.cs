using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Tests.Balancing;

/// <summary>
/// Golden vectors of the table, computed by a second implementation in another language: two balancers of different versions agree only
/// as long as these hold.
/// </summary>
internal sealed class MaglevVectorTests
{
    private const string Names = "ABCD";

    /// <summary>As those of the ring's vectors (docs/hashing.md).</summary>
    private static readonly RingMember[] Four =
    [
        new(0, "10.0.1.21:8443", 100), new(1, "10.0.1.22:8443", 100), new(2, "10.0.1.23:8443", 200), new(3, "[2001:db8::21]:8443", 50),
    ];

    private readonly Maglev _maglev = Maglev.Build(Four);

    [TestCase(0, "CACACBCDCACDBDCC")]
    [TestCase(32_768, "CBCCCBABCCDBCCDB")]
    [TestCase(65_521, "CBCBCADBCCDACCBB")]
    public void Entries_agree_with_the_vectors(int first, string expected) =>
        Assert.That(string.Concat(Enumerable.Range(first, expected.Length).Select(NameAt)), Is.EqualTo(expected));

    [Test]
    public void The_whole_table_agrees_with_its_hash()
    {
        byte[] names = [.. Enumerable.Range(0, _maglev.Size).Select(entry => (byte)NameAt(entry))];

        Assert.That(XxHash64.Hash(names, 0), Is.EqualTo(0x69A3_8CF3_63A7_D039UL));
        Assert.That(Names.Select(n => names.Count(name => name == n)), Is.EqualTo(new[] { 14_564, 14_564, 29_128, 7281 }));
    }

    // Source 192.0.2.x:50000+x-1 to 198.51.100.1:443; the second is the pick once the first has died or was tried.
    [TestCase(1, 'D', 'B')]
    [TestCase(2, 'B', 'C')]
    [TestCase(3, 'C', 'A')]
    [TestCase(4, 'C', 'B')]
    [TestCase(5, 'C', 'A')]
    [TestCase(6, 'C', 'B')]
    [TestCase(7, 'A', 'C')]
    [TestCase(8, 'B', 'D')]
    public void Picks_agree_with_the_vectors(int client, char first, char second)
    {
        FourTuple tuple = Samples.Tuple($"192.0.2.{client}:{50_000 + client - 1}", "198.51.100.1:443");
        int picked = _maglev.Pick(tuple, AvailableSet.Of(Four), [], null);

        Assert.That(Names[picked], Is.EqualTo(first));
        Assert.That(Names[_maglev.Pick(tuple, AvailableSet.Of(Four), [(ushort)picked], null)], Is.EqualTo(second), "tried");
        AvailableSet available = AvailableSet.Of(Samples.Without(Four, picked));
        Assert.That(Names[_maglev.Pick(tuple, available, [], null)], Is.EqualTo(second), "dead");
    }

    // By the middle of the entry's range of hashes.
    private char NameAt(int entry) => Names[_maglev.OwnerOf((ulong)((((UInt128)entry * 2) + 1 << 63) / (UInt128)_maglev.Size))];
}
