using System.Globalization;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Tests.Balancing;

/// <summary>Two balancers, or another implementation, agree on every tuple: golden vectors, the naive oracle, the order of the file.</summary>
[TestFixture]
internal sealed class RingAgreementTests
{
    private const string A = "10.0.1.21:8443";
    private const string B = "10.0.1.22:8443";
    private const string C = "10.0.1.23:8443";
    private const string D = "[2001:db8::21]:8443";

    private static readonly RingMember[] Four = [new(0, A, 100), new(1, B, 100), new(2, C, 200), new(3, D, 50)];

    [TestCase("10.0.1.21:8443", 0, 0x0CA96663C4B3173CUL)]
    [TestCase("10.0.1.21:8443", 1, 0x837A6A49D8EB3D35UL)]
    [TestCase("10.0.1.21:8443", 1023, 0xA3CC26A06E4B276FUL)]
    [TestCase("[2001:db8::21]:8443", 0, 0xC3993DC5C2309BC0UL)]
    [TestCase("[2001:db8::21]:8443", 1, 0x09026B6A168D692DUL)]
    public void Points_agree_with_the_published_vectors(string address, int point, ulong expected)
    {
        Ring ring = Ring.Build([new RingMember(0, address, 100), new RingMember(1, "192.0.2.1:1", 100)]);

        Assert.Multiple(() =>
        {
            Assert.That(new NaiveRing([new RingMember(0, address, 100)]).Points.Select(p => p.Hash), Does.Contain(expected), $"point {point}");
            Assert.That(ring.OwnerOf(expected), Is.Zero, "the point itself belongs to its member");
        });
    }

    // Source 192.0.2.x:50000+x-1 to 198.51.100.1:443; the second column is the pick once the first has died or was tried.
    [TestCase(1, A, B)]
    [TestCase(2, C, A)]
    [TestCase(3, A, C)]
    [TestCase(4, D, B)]
    [TestCase(5, C, B)]
    [TestCase(6, D, C)]
    [TestCase(7, C, B)]
    [TestCase(8, B, D)]
    public void Picks_agree_with_the_published_vectors(int client, string first, string second)
    {
        FourTuple tuple = Client(client);
        Ring ring = Ring.Build(Four);
        AvailableSet all = AvailableSet.Of(Four);
        int picked = ring.Pick(tuple, all, []);
        AvailableSet others = AvailableSet.Of(Samples.Without(Four, picked));

        Assert.Multiple(() =>
        {
            Assert.That(Four[picked].Address, Is.EqualTo(first));
            Assert.That(Four[ring.Pick(tuple, others, [])].Address, Is.EqualTo(second), "dead");
            Assert.That(Four[ring.Pick(tuple, all, [(ushort)picked])].Address, Is.EqualTo(second), "tried");
        });
    }

    [TestCase("192.0.2.10:40000", "198.51.100.1:443", A)]
    [TestCase("[::ffff:192.0.2.10]:40000", "[::ffff:198.51.100.1]:443", A)]
    [TestCase("[2001:db8::10]:40000", "[2001:db8:1::1]:443", D)]
    [TestCase("[2001:db8::ffff]:65535", "203.0.113.9:8080", C)]
    [TestCase("0.0.0.0:0", "[::]:0", C)]
    public void Picks_of_every_family_agree_with_the_published_vectors(string source, string destination, string expected)
    {
        int picked = Ring.Build(Four).Pick(Samples.Tuple(source, destination), AvailableSet.Of(Four), []);

        Assert.That(Four[picked].Address, Is.EqualTo(expected));
    }

    // 1,000 members of weight 100, 10.1.0.1:80 to 10.1.3.250:80, of which three are available, with weights 100, 300 and 50 (the weight of
    // the draw is that of the available set). The columns: nothing tried, then the first pick tried, then the two heaviest tried.
    [TestCase(1, "10.1.1.1:80", "10.1.0.1:80")]
    [TestCase(2, "10.1.0.1:80", "10.1.1.1:80")]
    [TestCase(3, "10.1.1.1:80", "10.1.0.1:80")]
    [TestCase(8, "10.1.1.1:80", "10.1.3.250:80")]
    [TestCase(9, "10.1.0.1:80", "10.1.1.1:80")]
    public void Draws_among_the_few_living_agree_with_the_published_vectors(int client, string first, string second)
    {
        RingMember[] members = [.. Enumerable.Range(0, 1000).Select(i => new RingMember(
            i, string.Create(CultureInfo.InvariantCulture, $"10.1.{i / 250}.{(i % 250) + 1}:80"), 100))];
        Ring ring = Ring.Build(members);
        AvailableSet available = AvailableSet.Of([members[0], members[250] with { Weight = 300 }, members[999] with { Weight = 50 }]);
        FourTuple tuple = Client(client);
        int picked = ring.Pick(tuple, available, []);

        Assert.Multiple(() =>
        {
            Assert.That(members[picked].Address, Is.EqualTo(first));
            Assert.That(members[ring.Pick(tuple, available, [(ushort)picked])].Address, Is.EqualTo(second));
            Assert.That(ring.Pick(tuple, available, [0, 250]), Is.EqualTo(999));
        });
    }

    [Test]
    public void Ring_agrees_with_the_naive_oracle([Values(1, 2, 3, 17, 60, 300)] int count, [Values(1, 2)] int seed)
    {
        var random = new Random(seed);
        RingMember[] members = [.. Samples.Members(count).Select(m => m with { Weight = random.Next(0, 40) + (m.Index == 0 ? 1 : 0) })];
        RingMember[] available = [.. members.Where(m => m.Weight > 0 && (m.Index == 0 || random.Next(8) == 0))];
        var oracle = new NaiveRing(members);
        Ring ring = Ring.Build(members);
        var set = AvailableSet.Of(available);

        Assert.That(ring.PointCount, Is.EqualTo(oracle.Points.Count));
        foreach (FourTuple tuple in Samples.Tuples(300, seed))
        {
            var fields = (TupleFields)random.Next(1, 16);
            ushort[] tried = [.. available.Where(_ => random.Next(3) == 0).Select(m => (ushort)m.Index)];
            Assert.That(ring.Pick(tuple, set, tried, fields: fields), Is.EqualTo(oracle.Pick(tuple, fields, available, tried)), $"{tuple} {fields}");
        }
    }

    // The places where a lookup can be off by one: at a point, beside it, and around the end.
    [Test]
    public void Owner_agrees_with_the_oracle_at_and_beside_every_point()
    {
        RingMember[] members = Samples.Members(5, 1, 20, 7);
        var oracle = new NaiveRing(members);
        Ring ring = Ring.Build(members);

        foreach (ulong hash in oracle.Points.SelectMany(p => new[] { p.Hash - 1, p.Hash, p.Hash + 1 }).Concat([0UL, ulong.MaxValue]))
        {
            Assert.That(ring.OwnerOf(hash), Is.EqualTo(oracle.OwnerOf(hash)), $"{hash:X16}");
        }
    }

    [Test]
    public void Order_of_the_file_does_not_show_in_100_000_tuples()
    {
        RingMember[] members = Samples.Members(50, 100, 30, 250);
        RingMember[] shuffled = [.. members];
        new Random(7).Shuffle(shuffled);
        for (int i = 0; i < shuffled.Length; i++)
        {
            shuffled[i] = shuffled[i] with { Index = i };
        }

        FourTuple[] tuples = Samples.Tuples(100_000);
        RingMember[] few = Array.FindAll(members, m => m.Index % 25 == 0);
        RingMember[] sameFew = Array.FindAll(shuffled, m => Array.Exists(few, f => f.Address == m.Address));

        Assert.Multiple(() =>
        {
            Assert.That(Addresses(shuffled, shuffled), Is.EqualTo(Addresses(members, members)), "all live");
            Assert.That(Addresses(shuffled, sameFew), Is.EqualTo(Addresses(members, few)), "two of fifty live");
        });

        string[] Addresses(RingMember[] pool, RingMember[] available) =>
            Array.ConvertAll(Samples.Picks(Ring.Build(pool), AvailableSet.Of(available), tuples), index => pool[index].Address);
    }

    private static FourTuple Client(int x) =>
        Samples.Tuple(string.Create(CultureInfo.InvariantCulture, $"192.0.2.{x}:{49_999 + x}"), "198.51.100.1:443");
}
