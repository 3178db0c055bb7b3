using L4Balancer.Core.Addressing;
using L4Balancer.Core.Dns;
using L4Balancer.Core.Tests.Connections;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Dns;

/// <summary>How many answers a source gets.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class AnswerRatesTests
{
    private readonly AnswerRates _rates = new(7);
    private Instant _now = new(TimeSpan.TicksPerDay);

    [Test]
    public void Above_the_rate_every_second_question_slips_and_the_others_are_dropped()
    {
        RateDecision[] decisions = [.. Enumerable.Range(0, 30).Select(_ => Decide("198.51.100.1"))];
        Assert.That(decisions.Take(20), Is.All.EqualTo(RateDecision.Answer));
        Assert.That(decisions.Skip(20), Is.EqualTo(Enumerable.Range(0, 10).Select(i => i % 2 == 0 ? RateDecision.Slip : RateDecision.Drop)));

        _now += TimeSpan.FromMilliseconds(50);
        Assert.That(Decide("198.51.100.1"), Is.EqualTo(RateDecision.Answer), "one in a twentieth of a second");
        Assert.That(Decide("198.51.100.1"), Is.Not.EqualTo(RateDecision.Answer));
        _now += TimeSpan.FromHours(1);
        Assert.That(Enumerable.Range(0, 21).Count(_ => Decide("198.51.100.1") == RateDecision.Answer), Is.EqualTo(20), "nothing is saved up");
    }

    [TestCase("198.51.100.1", "198.51.100.254", true)]
    [TestCase("198.51.100.1", "198.51.101.1", false)]
    [TestCase("2001:db8:0:1::1", "2001:db8:0:ff::1", true)]
    [TestCase("2001:db8:0:1::1", "2001:db8:0:100::1", false)]
    [TestCase("::1", "0.0.0.1", false)]
    public void A_source_is_a_network(string one, string other, bool isSame)
    {
        while (Decide(one) == RateDecision.Answer)
        {
        }

        Assert.That(Decide(other) != RateDecision.Answer, Is.EqualTo(isSame));
    }

    [Test]
    public void A_flood_from_many_networks_does_not_limit_another_one()
    {
        int limited = 0;
        for (uint i = 0; i < 200_000; i++)
        {
            _rates.Decide(HostAddress.FromV4(i << 8), 20, _now);
            limited += i % 10_000 == 0 && Decide("198.51.100.1") != RateDecision.Answer ? 1 : 0;
        }

        Assert.That(limited, Is.Zero);
    }

    [Test]
    public void Rate_0_limits_nobody() =>
        Assert.That(Enumerable.Range(0, 1000).Select(_ => _rates.Decide(SetupScene.At("198.51.100.1:1").Address, 0, _now)), Is.All.EqualTo(RateDecision.Answer));

    private RateDecision Decide(string source) =>
        _rates.Decide(SetupScene.At(source.Contains(':', StringComparison.Ordinal) ? $"[{source}]:1" : $"{source}:1").Address, 20, _now);
}
