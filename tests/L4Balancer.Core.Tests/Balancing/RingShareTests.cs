using System.Globalization;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Tests.Balancing;

[TestFixture]
internal sealed class RingShareTests
{
    // Issue 2 asks 12% of 100 backends. The others are the table in docs/hashing.md.
    [TestCase(100, 0.12)]
    [TestCase(256, 0.14)]
    [TestCase(1_024, 0.20)]
    [TestCase(4_096, 0.30)]
    [TestCase(10_000, 0.45)]
    public void Worst_of_equal_backends_is_near_its_share(int count, double tolerance)
    {
        RingMember[] members = Samples.Members(count);

        Assert.That(WorstDeviation(members), Is.LessThan(tolerance));
    }

    [TestCase("10.0.0.{0}:443")]
    [TestCase("192.168.{0}.1:9000")]
    [TestCase("127.0.0.1:{0}")]
    [TestCase("[2001:db8::{0}]:8443")]
    [TestCase("[2001:db8:1:2:3:4:5:{0}]:65535")]
    public void Worst_of_100_equal_backends_is_within_12_percent_however_they_are_numbered(string pattern)
    {
        RingMember[] members = [.. Enumerable.Range(1, 100).Select(i => new RingMember(
            i, string.Format(CultureInfo.InvariantCulture, pattern, i), 100))];

        Assert.That(WorstDeviation(members), Is.LessThan(0.12));
    }

    [Test]
    public void A_million_tuples_arrive_by_the_arcs()
    {
        RingMember[] members = Samples.Members(10);
        Dictionary<int, double> arcs = Arcs(members);
        int[] counts = new int[members.Length];
        foreach (int picked in Samples.Picks(members, Samples.Tuples(1_000_000)))
        {
            counts[picked]++;
        }

        // 100,000 each: one standard deviation is 0.3%.
        foreach (RingMember member in members)
        {
            Assert.That(counts[member.Index] / 1e6, Is.EqualTo(arcs[member.Index]).Within(2).Percent, member.Address);
        }
    }

    [Test]
    public void Share_follows_the_weight()
    {
        int[] weights = [25, 50, 100, 200, 500];
        RingMember[] members = Samples.Members(20, weights);
        Dictionary<int, double> arcs = Arcs(members);
        double total = members.Sum(m => m.Weight);

        Assert.Multiple(() =>
        {
            foreach (int weight in weights)
            {
                double share = members.Where(m => m.Weight == weight).Sum(m => arcs[m.Index]);
                // Four members of weight 25 have 1,024 points: one standard deviation is 3%.
                Assert.That(share, Is.EqualTo(4 * weight / total).Within(12).Percent, $"weight {weight}");
            }
        });
    }

    [Test]
    public void Member_of_weight_zero_is_as_if_it_were_not_there()
    {
        RingMember[] members = [.. Samples.Members(10), new RingMember(10, "10.9.9.9:1", 0)];
        FourTuple[] tuples = Samples.Tuples(10_000);

        Assert.Multiple(() =>
        {
            Assert.That(AvailableSet.Of(members).Count, Is.EqualTo(10));
            Assert.That(AvailableSet.Of(members).Contains(10), Is.False);
            Assert.That(Samples.Picks(members, tuples), Is.EqualTo(Samples.Picks(members[..10], tuples)));
            Assert.That(Samples.Picks(members[10..], tuples), Is.All.EqualTo(Ring.None));
        });
    }

    [Test]
    public void Backends_that_share_an_address_share_its_sequence_of_points()
    {
        RingMember[] members = [new(0, "10.0.0.1:1", 100), new(1, "10.0.0.1:1", 100), new(2, "10.0.0.2:1", 200)];
        RingMember[] merged = [new(0, "10.0.0.1:1", 200), new(2, "10.0.0.2:1", 200)];
        FourTuple[] tuples = Samples.Tuples(20_000);
        int[] picks = Samples.Picks(members, tuples);

        Assert.Multiple(() =>
        {
            Assert.That(Array.ConvertAll(picks, p => p == 1 ? 0 : p), Is.EqualTo(Samples.Picks(merged, tuples)));
            Assert.That(picks.Count(p => p == 1) / 20_000.0, Is.EqualTo(0.25).Within(0.03));
        });
    }

    [Test]
    public void Steps_only_fall_and_bound_the_points_at_4_2_million()
    {
        for (int size = 2; size <= 655_360; size++)
        {
            int points = RingDensity.BasePoints(size);
            if (points > RingDensity.BasePoints(size - 1) || (long)points * size > 4_200_000)
            {
                Assert.Fail($"{points} points at size {size}");
            }
        }
    }

    [TestCase(256, 100, 1024)]
    [TestCase(257, 100, 512)]
    [TestCase(26, 1000, 5120)]
    [TestCase(25, 1000, 10240)]
    [TestCase(3, 1, 10)]
    [TestCase(700, 0, 0)]
    public void Points_of_a_member_follow_size_and_weight(int count, int weight, int expected) =>
        Assert.That(Ring.Build(Samples.Members(count, weight)).PointCount, Is.EqualTo(count * expected));

    private static double WorstDeviation(RingMember[] members) =>
        Arcs(members).Values.Max(share => Math.Abs((share * members.Length) - 1));

    /// <summary>The exact share of each member: the oracle says where the arcs end, the ring under test says whose they are.</summary>
    private static Dictionary<int, double> Arcs(RingMember[] members)
    {
        Ring ring = Ring.Build(members);
        var arcs = members.ToDictionary(m => m.Index, _ => 0.0);
        var points = new NaiveRing(members).Points;
        ulong before = points[^1].Hash;
        foreach ((ulong hash, _) in points)
        {
            arcs[ring.OwnerOf(hash)] += unchecked(hash - before) / Math.Pow(2, 64);
            before = hash;
        }

        return arcs;
    }
}
