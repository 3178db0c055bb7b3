using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Health;

namespace L4Balancer.Core.Tests.Connections;

/// <summary>Connections that end soon after the connect: what they mean for the load and for the health of a backend.</summary>
internal sealed class EarlyEndTests
{
    private static readonly PassiveSettings Early = new() { Failures = 3, EarlyClose = TimeSpan.FromMilliseconds(500) };

    /// <summary>One backend keeps what it gets, and the other closes it at once; a client that was closed comes again.</summary>
    [TestCase(BalanceKind.LeastConnections)]
    [TestCase(BalanceKind.RandomTwo)]
    public void A_backend_that_accepts_and_closes_at_once_does_not_get_everybody(BalanceKind balance)
    {
        var scene = new SetupScene(SetupScene.PoolOf(2) with { Balance = balance }, maxConnections: 10_000);
        int[] connects = new int[2];
        for (int i = 0; i < 400; i++)
        {
            SetupAttempt attempt = scene.Accept();
            int backend = scene.IndexOf(attempt.Record.Backend!);
            connects[backend]++;
            attempt.Connected($"127.0.0.1:{5000 + i}");
            scene.Pass(TimeSpan.FromMilliseconds(10));
            if (backend == 1)
            {
                Close(scene, attempt, CloseReason.BackendClosed, bytes: 0);
            }
        }

        Assert.That(connects, Is.All.InRange(150, 250));
    }

    [TestCase(CloseReason.BackendClosed, 0, 999, ExpectedResult = 1)]
    [TestCase(CloseReason.BackendReset, 0, 999, ExpectedResult = 1)]
    [TestCase(CloseReason.BackendClosed, 0, 1000, ExpectedResult = 0)]
    [TestCase(CloseReason.BackendClosed, 1, 10, ExpectedResult = 0)]
    [TestCase(CloseReason.ClientClosed, 0, 10, ExpectedResult = 0)]
    [TestCase(CloseReason.ClientReset, 0, 10, ExpectedResult = 0)]
    [TestCase(CloseReason.Admin, 0, 10, ExpectedResult = 0)]
    public int Only_what_the_backend_ended_at_once_without_a_byte_stays_in_its_load(CloseReason reason, int bytes, int milliseconds)
    {
        var scene = new SetupScene(SetupScene.PoolOf(1));
        SetupAttempt attempt = scene.Accept();
        attempt.Connected();
        scene.Pass(TimeSpan.FromMilliseconds(milliseconds));
        Close(scene, attempt, reason, bytes);

        Assert.That(scene.Backend(0).Load, Is.Zero, "limits do not count it");
        Assert.That(scene.Backend(0).WeighedLoad(scene.Now + TimeSpan.FromSeconds(30)), Is.Zero, "it is forgotten");
        return scene.Backend(0).WeighedLoad(scene.Now);
    }

    [TestCase(CloseReason.BackendClosed)]
    [TestCase(CloseReason.BackendReset)]
    public void With_early_close_such_an_end_is_a_failed_connect_and_several_in_a_row_are_told(CloseReason reason)
    {
        (SetupScene scene, List<PassiveHealthEvent> told) = Scene(Early);
        for (int i = 0; i < 3; i++)
        {
            Assert.That(told, Is.Empty);
            Come(scene, TimeSpan.FromMilliseconds(100), reason);
        }

        Assert.That(told, Is.EqualTo(new[] { PassiveHealthEvent.Failing }));
        Assert.That(scene.Backend(0).Connects.LastFault, Is.EqualTo("closed at once without a byte"));
    }

    [Test]
    public void By_default_a_client_that_sends_rubbish_takes_no_backend_down()
    {
        (SetupScene scene, List<PassiveHealthEvent> told) = Scene(new PassiveSettings { Failures = 3 });
        for (int i = 0; i < 100; i++)
        {
            Come(scene, TimeSpan.FromMilliseconds(10), CloseReason.BackendClosed);
        }

        Assert.That((told.Count, scene.Backend(0).Connects.FailedInARow), Is.EqualTo((0, 0)));
    }

    [Test]
    public void A_connection_that_lasts_is_a_success_between_those_that_do_not()
    {
        (SetupScene scene, List<PassiveHealthEvent> told) = Scene(Early);
        for (int i = 0; i < 10; i++)
        {
            Come(scene, TimeSpan.FromMilliseconds(100), CloseReason.BackendClosed);
            Come(scene, TimeSpan.FromMilliseconds(100), CloseReason.BackendClosed);
            SetupAttempt lasting = scene.Accept();
            lasting.Connected();
            scene.Pass(TimeSpan.FromSeconds(2));
        }

        Assert.That(told, Is.Empty);
    }

    [Test]
    public void A_byte_from_the_backend_is_a_success_and_a_client_that_leaves_at_once_is_neither()
    {
        (SetupScene scene, List<PassiveHealthEvent> told) = Scene(Early);
        Come(scene, TimeSpan.FromMilliseconds(100), CloseReason.BackendClosed);
        Come(scene, TimeSpan.FromMilliseconds(100), CloseReason.BackendClosed);
        Come(scene, TimeSpan.FromMilliseconds(100), CloseReason.BackendClosed, bytes: 1);
        Assert.That(scene.Backend(0).Connects.FailedInARow, Is.Zero);

        Come(scene, TimeSpan.FromMilliseconds(100), CloseReason.BackendClosed);
        Come(scene, TimeSpan.FromMilliseconds(100), CloseReason.ClientClosed);
        scene.Pass(TimeSpan.FromSeconds(5));
        Come(scene, TimeSpan.FromMilliseconds(100), CloseReason.BackendClosed);
        Assert.That((told.Count, scene.Backend(0).Connects.FailedInARow), Is.EqualTo((0, 2)));
    }

    private static (SetupScene Scene, List<PassiveHealthEvent> Told) Scene(PassiveSettings passive)
    {
        var scene = new SetupScene(SetupScene.PoolOf(1) with { Passive = passive, Health = new HealthSettings { Type = HealthType.None } });
        List<PassiveHealthEvent> told = [];
        scene.Snapshot.ConnectReports.Handler = (_, news) => told.Add(news);
        return (scene, told);
    }

    private static void Come(SetupScene scene, TimeSpan lasts, CloseReason end, int bytes = 0)
    {
        SetupAttempt attempt = scene.Accept();
        attempt.Connected();
        scene.Pass(lasts);
        Close(scene, attempt, end, bytes);
    }

    private static void Close(SetupScene scene, SetupAttempt attempt, CloseReason reason, int bytes)
    {
        ConnectionRecord record = attempt.Record;
        record.BytesToClient = bytes;
        record.Close(scene.Snapshot.State, reason, wasFirst: false, scene.Now);
    }
}
