using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Tests.Balancing;

/// <summary>Picks while some members are unavailable, or have been tried by this connection.</summary>
[TestFixture]
internal sealed class RingLivingTests
{
    private static readonly FourTuple[] Tuples = Samples.Tuples(100_000);

    [Test]
    public void Tuples_of_a_dead_member_spread_by_weight_and_no_other_moves()
    {
        RingMember[] members = Samples.Members(10, 50, 100, 150);
        RingMember[] rest = Samples.Without(members, 1);
        Ring ring = Ring.Build(members);
        int[] before = Samples.Picks(ring, AvailableSet.Of(members), Tuples);
        int[] after = Samples.Picks(ring, AvailableSet.Of(rest), Tuples);
        int[] moved = [.. after.Where((_, i) => before[i] == 1)];
        double total = rest.Sum(m => m.Weight);

        Assert.Multiple(() =>
        {
            Assert.That(after.Where((_, i) => before[i] != 1), Is.EqualTo(before.Where(index => index != 1)));
            foreach (RingMember member in rest)
            {
                // Some 10,000 tuples: one standard deviation is 4% of the smallest share, and the arcs add their own 4%.
                double share = moved.Count(index => index == member.Index) / (double)moved.Length;
                Assert.That(share, Is.EqualTo(member.Weight / total).Within(16).Percent, member.Address);
            }
        });
    }

    [Test]
    public void One_living_of_a_thousand_gets_everything()
    {
        RingMember[] members = Samples.Members(1000);
        int[] picks = Samples.Picks(Ring.Build(members), AvailableSet.Of([members[617]]), Tuples[..20_000]);

        Assert.That(picks, Is.All.EqualTo(617));
    }

    [Test]
    public void Few_living_of_a_thousand_share_by_weight()
    {
        RingMember[] members = Samples.Members(1000);
        members[10] = members[10] with { Weight = 300 };
        RingMember[] available = [members[10], members[500], members[900]];
        int[] picks = Samples.Picks(Ring.Build(members), AvailableSet.Of(available), Tuples);

        Assert.Multiple(() =>
        {
            Assert.That(Share(10), Is.EqualTo(0.6).Within(0.02));
            Assert.That(Share(500), Is.EqualTo(0.2).Within(0.02));
            Assert.That(Share(900), Is.EqualTo(0.2).Within(0.02));
        });

        double Share(int index) => picks.Count(p => p == index) / (double)picks.Length;
    }

    [Test]
    public void Tried_member_is_not_picked_again_until_none_is_left([Values(1, 2, 5, 40)] int count)
    {
        RingMember[] members = Samples.Members(60);
        Ring ring = Ring.Build(members);
        var available = AvailableSet.Of(members.AsSpan(0, count));
        foreach (FourTuple tuple in Tuples.AsSpan(0, 200))
        {
            var tried = new List<ushort>();
            for (int i = 0; i < count; i++)
            {
                int picked = ring.Pick(tuple, available, [.. tried]);
                Assert.That(picked, Is.InRange(0, count - 1));
                Assert.That(tried, Does.Not.Contain((ushort)picked));
                tried.Add((ushort)picked);
            }

            Assert.That(ring.Pick(tuple, available, [.. tried]), Is.EqualTo(Ring.None));
        }
    }

    // 999 parts of the weight are tried: sixteen draws miss the thousandth part, and the last pass must find it.
    [Test]
    public void Light_member_is_found_when_all_the_heavy_ones_were_tried()
    {
        RingMember[] members = [.. Samples.Members(3, 1000), new RingMember(3, "192.0.2.1:1", 3)];
        Ring ring = Ring.Build(members);
        var available = AvailableSet.Of(members);

        Assert.That(
            Array.ConvertAll(Tuples[..2000], t => ring.Pick(t, available, [0, 1, 2])), Is.All.EqualTo(3));
    }

    [Test]
    public void Nobody_living_or_nobody_there_is_none()
    {
        RingMember[] members = Samples.Members(3);

        Assert.Multiple(() =>
        {
            Assert.That(Samples.Picks(Ring.Build(members), AvailableSet.Of([]), Tuples[..100]), Is.All.EqualTo(Ring.None));
            Assert.That(Samples.Picks(Ring.Build([]), AvailableSet.Of([]), Tuples[..100]), Is.All.EqualTo(Ring.None));
        });
    }

    [Test]
    public void Living_set_contains_what_it_was_made_of()
    {
        int[] indices = [0, 1, 63, 64, 127, 1000, 65_535];
        var available = AvailableSet.Of([.. indices.Select(i => new RingMember(i, $"10.0.0.1:{i}", 1))]);

        Assert.Multiple(() =>
        {
            Assert.That(available.Count, Is.EqualTo(indices.Length));
            Assert.That(Enumerable.Range(-1, 70_000).Where(available.Contains), Is.EqualTo(indices));
            Assert.That(available.Contains(int.MinValue), Is.False);
            Assert.That(AvailableSet.Of([]).Contains(0), Is.False);
        });
    }

    [TestCase(-1)]
    [TestCase(65_536)]
    public void Index_that_no_pick_could_answer_is_refused(int index) =>
        Assert.That(() => Ring.Build([new RingMember(index, "10.0.0.1:1", 100)]), Throws.InstanceOf<ArgumentOutOfRangeException>());
}
