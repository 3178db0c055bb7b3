using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Tests.Balancing;

/// <summary>Who moves when membership or a weight changes.</summary>
[TestFixture]
internal sealed class RingChangeTests
{
    private static readonly FourTuple[] Tuples = Samples.Tuples(100_000);

    [Test]
    public void Removing_one_moves_exactly_its_own_tuples([Values(2, 10, 100, 256)] int count)
    {
        RingMember[] members = Samples.Members(count, 50, 100, 150);
        int removed = 1;
        int[] before = Samples.Picks(members, Tuples);
        int[] after = Samples.Picks(Samples.Without(members, removed), Tuples);

        Assert.That(before, Does.Contain(removed));
        for (int i = 0; i < before.Length; i++)
        {
            if (before[i] == removed ? after[i] == removed : after[i] != before[i])
            {
                Assert.Fail($"{Tuples[i]} went from {before[i]} to {after[i]}");
            }
        }
    }

    [Test]
    public void While_members_join_each_tuple_stays_with_its_owner_before([Values(2, 10, 100)] int count, [Values(1, 3)] int joining)
    {
        RingMember[] members = Samples.Members(count + joining, 50, 100, 150);
        RingMember[] before = members[..count];
        var ring = Ring.Build(members);
        bool[] joined = [.. Enumerable.Range(0, members.Length).Select(i => i >= count)];
        AvailableSet available = AvailableSet.Without(RingMember.InAddressOrder(members), joined, joined);

        Assert.That(Samples.Picks(ring, available, Tuples), Is.EqualTo(Samples.Picks(before, Tuples)));
    }

    // The removed member has 1,024 arcs. Each falls to whoever comes next, so a class of members that has a sixth of the weight
    // receives a sixth of them, give or take 1.6 points (one standard deviation, binomial, arcs of unequal length).
    [Test]
    public void Tuples_of_a_removed_member_spread_over_the_rest_by_weight([Values(10, 100, 256)] int count)
    {
        RingMember[] members = Samples.Members(count, 50, 100, 150);
        RingMember[] rest = Samples.Without(members, 1);
        int[] before = Samples.Picks(members, Tuples);
        int[] after = Samples.Picks(rest, Tuples);
        int[] moved = [.. after.Where((_, i) => before[i] == 1)];
        double total = rest.Sum(m => m.Weight);

        Assert.Multiple(() =>
        {
            foreach (IGrouping<int, RingMember> equal in rest.GroupBy(m => m.Weight))
            {
                double share = moved.Count(index => members[index].Weight == equal.Key) / (double)moved.Length;
                Assert.That(share, Is.EqualTo(equal.Sum(m => m.Weight) / total).Within(0.05), $"weight {equal.Key}");
            }

            // No single one inherits the lot: at 256 each can expect four arcs, and the luckiest has some four times that.
            int most = moved.GroupBy(index => index).Max(g => g.Count());
            Assert.That(most / (double)moved.Length, Is.LessThan(5 * 150 / total));
        });
    }

    // Crossing a step halves or doubles everyone's points. The points kept are a prefix of one sequence, so the half of the ring that
    // follows from them stays, and half of all tuples move: docs/hashing.md says so.
    [TestCase(257)]
    [TestCase(1_025)]
    [TestCase(4_097)]
    public void Crossing_a_step_moves_half_of_the_tuples(int count)
    {
        RingMember[] members = Samples.Members(count);
        int[] before = Samples.Picks(members, Tuples);
        int[] after = Samples.Picks(Samples.Without(members, 1), Tuples);
        int moved = before.Where((index, i) => index != 1 && after[i] != index).Count();

        Assert.That(moved / (double)Tuples.Length, Is.EqualTo(0.5).Within(0.03));
    }

    [Test]
    public void Raising_a_weight_moves_tuples_only_towards_that_member()
    {
        RingMember[] members = Samples.Members(20);
        RingMember[] raised = [.. members.Select(m => m.Index == 3 ? m with { Weight = 200 } : m)];
        int[] before = Samples.Picks(members, Tuples);
        int[] after = Samples.Picks(raised, Tuples);

        Assert.Multiple(() =>
        {
            Assert.That(after.Where((index, i) => index != before[i]), Is.All.EqualTo(3));
            Assert.That(after.Count(index => index == 3) / (double)before.Count(index => index == 3), Is.EqualTo(2).Within(0.3));
        });
    }
}
