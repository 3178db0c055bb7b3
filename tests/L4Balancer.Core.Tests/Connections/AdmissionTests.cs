using System.Collections.Immutable;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;

namespace L4Balancer.Core.Tests.Connections;

/// <summary>Who may come in at all.</summary>
internal sealed class AdmissionTests
{
    [Test]
    public void What_exceeds_a_limit_is_refused_until_there_is_room([Values] bool ofListener)
    {
        PoolSettings pool = SetupScene.PoolOf(1);
        SetupScene scene = ofListener ? new SetupScene(pool, listenerMax: 2) : new SetupScene(pool, maxConnections: 2);
        scene.Accept();
        SetupAttempt second = scene.Accept();

        SetupAttempt third = scene.Accept();
        scene.AssertRefused(third, CloseReason.Limit);
        Assert.That((second.Record.Limit, third.Record.Limit), Is.EqualTo((LimitKind.None, ofListener ? LimitKind.Listener : LimitKind.Balancer)));

        second.Abandon(CloseReason.ClientReset);
        Assert.That(scene.Accept().Action, Is.EqualTo(SetupAction.Connect));
    }

    [TestCase("198.51.100.0/24", "", ExpectedResult = SetupAction.Connect)]
    [TestCase("10.0.0.0/8", "", ExpectedResult = SetupAction.Refuse)]
    [TestCase("", "198.51.100.0/30", ExpectedResult = SetupAction.Refuse)]
    [TestCase("198.51.100.0/24", "198.51.100.1", ExpectedResult = SetupAction.Refuse)]
    [TestCase("", "10.0.0.0/8", ExpectedResult = SetupAction.Connect)]
    public SetupAction Who_is_denied_or_not_among_the_allowed_is_refused_as_denied(string allow, string deny)
    {
        var scene = new SetupScene(SetupScene.PoolOf(1), listener: l => l with { Allow = Ranges(allow), Deny = Ranges(deny) });
        SetupAttempt attempt = scene.Accept();

        Assert.That(scene.Listener.Refused[CloseReason.Denied], Is.EqualTo(attempt.Action == SetupAction.Refuse ? 1 : 0));
        return attempt.Action;
    }

    [Test]
    public void What_exceeds_the_limit_of_its_source_is_refused_until_one_is_over()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1), listener: l => l with { MaxConnectionsPerSource = 2 });
        SetupAttempt first = scene.Accept();
        SetupAttempt second = scene.Accept();

        SetupAttempt third = scene.Accept();
        scene.AssertRefused(third, CloseReason.Limit);
        Assert.That(third.Record.Limit, Is.EqualTo(LimitKind.Source));
        first.Abandon(CloseReason.ClientReset);
        Assert.That(scene.Accept().Action, Is.EqualTo(SetupAction.Connect));

        second.Connected();
        second.Record.Close(scene.Snapshot.State, CloseReason.ClientClosed, wasFirst: false, scene.Now);
        Assert.That(scene.Accept().Action, Is.EqualTo(SetupAction.Connect));
        Assert.That(scene.Accept().Action, Is.EqualTo(SetupAction.Refuse));
        Assert.That(scene.Listener.Refused[CloseReason.Limit], Is.EqualTo(2));
    }

    [Test]
    public void What_exceeds_the_rate_of_its_source_is_refused()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1), listener: l => l with { ConnectionRatePerSource = 3 });

        SetupAttempt[] attempts = [.. Enumerable.Range(0, 10).Select(_ => scene.Accept())];
        Assert.That(attempts.Count(a => a.Action == SetupAction.Connect), Is.EqualTo(3));
        Assert.That(attempts.Count(a => a.Record.Limit == LimitKind.SourceRate), Is.EqualTo(7));
        Assert.That(scene.Listener.Refused[CloseReason.Limit], Is.EqualTo(7));
    }

    private static ImmutableArray<Cidr> Ranges(string text) =>
        Cidr.TryParse(text, out Cidr range) ? [range] : [];
}
