using L4Balancer.Core.Health;

namespace L4Balancer.Core.Tests.Fleet;

/// <summary>What balancers decide together, as a function of what each of them has found out.</summary>
internal sealed class HealthVoteTests
{
    [TestCase(HealthState.Down, 2, 0, ExpectedResult = HealthState.Up, TestName = "One of three does not take a backend down")]
    [TestCase(HealthState.Down, 2, 1, ExpectedResult = HealthState.Down, TestName = "Two of three do")]
    [TestCase(HealthState.Up, 2, 2, ExpectedResult = HealthState.Down, TestName = "Also where the own probes hold it up")]
    [TestCase(HealthState.Up, 2, 1, ExpectedResult = HealthState.Up, TestName = "One other of three does not")]
    [TestCase(HealthState.Degraded, 2, 1, ExpectedResult = HealthState.Degraded, TestName = "Degraded is a voice against it")]
    [TestCase(HealthState.Degraded, 2, 0, ExpectedResult = HealthState.Up, TestName = "And is outvoted as such")]
    [TestCase(HealthState.Down, 0, 0, ExpectedResult = HealthState.Down, TestName = "One that nobody else sees is as the own probes say")]
    [TestCase(HealthState.Down, 1, 0, ExpectedResult = HealthState.Down, TestName = "Half is enough")]
    [TestCase(HealthState.Up, 3, 2, ExpectedResult = HealthState.Down, TestName = "Half of four is enough")]
    public HealthState A_backend_beside_a_living_one(HealthState own, int see, int down) => Decide(Ballot(own, see, down), Living)[0];

    [Test]
    public void What_no_own_probe_has_decided_on_is_not_put_to_the_vote()
    {
        foreach (HealthState own in Enum.GetValues<HealthState>())
        {
            Assert.That(Decide(new Ballot(own, IsByProbes: false, new PeerViews.Count(4, 4), Serves: true), Living)[0], Is.EqualTo(own));
        }
    }

    [Test]
    public void The_last_backends_that_answer_here_are_kept()
    {
        Assert.That(
            Decide(Ballot(HealthState.Up, 2, 2), Ballot(HealthState.Up, 2, 2), Ballot(HealthState.Down, 2, 2)),
            Is.EqualTo(new[] { HealthState.Up, HealthState.Up, HealthState.Down }));

        // One that operators have taken out, or without weight, serves nobody.
        Assert.That(
            Decide(Ballot(HealthState.Up, 2, 2), Ballot(HealthState.Up, 2, 0) with { Serves = false }),
            Is.EqualTo(new[] { HealthState.Up, HealthState.Up }));
    }

    [Test]
    public void Nothing_lives_where_nothing_answers() =>
        Assert.That(Decide(Ballot(HealthState.Down, 2, 2), Ballot(HealthState.Down, 2, 2)), Is.All.EqualTo(HealthState.Down));

    /// <summary>Random views of up to 7 balancers on up to 6 backends.</summary>
    [Test]
    public void For_any_views_the_balancers_agree_and_no_pool_loses_its_last_backend([Range(1, 10)] int seed)
    {
        var random = new Random(seed);
        for (int round = 0; round < 500; round++)
        {
            int balancers = random.Next(1, 8);
            int backends = random.Next(1, 7);
            double badness = random.NextDouble();
            var views = new HealthState[balancers][];
            for (int i = 0; i < balancers; i++)
            {
                views[i] = [.. Enumerable.Range(0, backends).Select(_ => random.NextDouble() < badness ? (HealthState)random.Next(1, 3) : HealthState.Up)];
            }

            HealthState[][] verdicts = [.. Enumerable.Range(0, balancers).Select(i => Decide([.. BallotsOf(views, i)]))];
            bool[] halfHoldItDown = [.. Enumerable.Range(0, backends).Select(b => 2 * views.Count(v => v[b] != HealthState.Up) >= balancers)];
            for (int i = 0; i < balancers; i++)
            {
                if (halfHoldItDown.Contains(false))
                {
                    Assert.That(verdicts[i].Select(v => v != HealthState.Up), Is.EqualTo(halfHoldItDown), "all decide as half of those that see it do");
                }

                if (views[i].Contains(HealthState.Up))
                {
                    Assert.That(verdicts[i], Does.Contain(HealthState.Up), "the vote takes no last backend");
                }
            }
        }
    }

    private static IEnumerable<Ballot> BallotsOf(HealthState[][] views, int self)
    {
        for (int b = 0; b < views[self].Length; b++)
        {
            int down = views.Where((v, i) => i != self && v[b] != HealthState.Up).Count();
            yield return Ballot(views[self][b], views.Length - 1, down);
        }
    }

    private static Ballot Living => Ballot(HealthState.Up, 2, 0);

    private static Ballot Ballot(HealthState own, int see, int down) => new(own, IsByProbes: true, new PeerViews.Count(see, down), Serves: true);

    private static HealthState[] Decide(params Ballot[] ballots)
    {
        var verdicts = new HealthState[ballots.Length];
        HealthVote.Decide(ballots, verdicts);
        return verdicts;
    }
}
