using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;

namespace L4Balancer.Core.Tests.Connections;

/// <summary>
/// Connections from the client's own address (<c>transparent</c>): no port of this host, and no backend at fault for local failures.
/// </summary>
internal sealed class TransparentSetupTests
{
    [Test]
    public void A_transparent_connection_holds_no_port_of_this_host()
    {
        SetupScene scene = Transparent(1);
        SetupAttempt attempt = scene.Accept();
        Assert.That(attempt.Step.Transparent, Is.EqualTo((HostAddress?)HostAddress.FromV4(0xC633_6401)));
        Assert.That(scene.Ports.Held, Is.Zero, "while it connects");

        attempt.Connected("198.51.100.1:5000");
        Assert.That(scene.Ports.Held, Is.Zero, "connected");

        attempt.Record.Close(scene.Snapshot.State, CloseReason.ClientClosed, wasFirst: true, scene.Now);
        Assert.That(scene.Ports.InUse(scene.Now), Is.Zero, "closed by the balancer first");
    }

    [Test]
    public void A_client_of_another_family_takes_a_port_of_this_host()
    {
        SetupScene scene = Transparent(1);
        var six = new SetupAttempt(scene);
        six.Accepted(new FourTuple(SetupScene.At("[2001:db8::1]:5"), SetupScene.At("[2001:db8::2]:80")));

        Assert.That((six.Step.Transparent, scene.Ports.Held), Is.EqualTo(((HostAddress?)null, 1)));
    }

    [TestCase(ConnectFailure.NotTransparent, CloseReason.ConnectFailed)]
    [TestCase(ConnectFailure.SourceUnusable, CloseReason.ConnectFailed)]
    [TestCase(ConnectFailure.NoFreePort, CloseReason.SourcePortsExhausted)]
    public void A_local_failure_is_no_fault_of_the_backends_or_of_the_sources(ConnectFailure failure, CloseReason reason)
    {
        SetupScene scene = Transparent(2);
        SetupAttempt attempt = scene.Accept();
        int first = attempt.Backend;

        attempt.Fail(failure);
        Assert.That((attempt.Action, attempt.Backend), Is.EqualTo((SetupAction.Connect, 1 - first)), "the other one is tried");
        attempt.Fail(failure);

        scene.AssertRefused(attempt, reason);
        Assert.That((scene.ConnectAttempts, scene.ConnectFailures, attempt.Record.Attempts), Is.EqualTo((0L, 0L, 0)));
        Assert.That(scene.Ports.Source.Exhausted, Is.Zero);
        Assert.That(scene.Accept().Action, Is.EqualTo(SetupAction.Connect), "the backends still take connections");
    }

    private static SetupScene Transparent(int backends)
    {
        PoolSettings pool = SetupScene.PoolOf(backends);
        return new SetupScene(pool with { Transparent = true, Passive = pool.Passive with { Failures = 1 } });
    }
}
