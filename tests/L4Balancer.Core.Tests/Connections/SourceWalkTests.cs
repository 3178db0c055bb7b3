using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;

namespace L4Balancer.Core.Tests.Connections;

/// <summary>How a connection walks over the source addresses: in turn, and what a lack of ports means.</summary>
internal sealed class SourceWalkTests
{
    [Test]
    public void Connections_begin_at_the_sources_in_turn()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1, "10.0.0.1", "10.0.0.2", "10.0.0.3"));

        string[] taken = [.. Enumerable.Range(0, 6).Select(_ => scene.Accept().Step.Source.ToString()!)];

        Assert.That(taken.Take(3), Is.Unique);
        Assert.That(taken.Skip(3), Is.EqualTo(taken.Take(3)));
    }

    [Test]
    public void Three_sources_and_three_backends_are_tried_in_all_nine_ways_before_ports_are_exhausted()
    {
        var scene = new SetupScene(SetupScene.PoolOf(3, "10.0.0.1", "10.0.0.2", "10.0.0.3"));
        SetupAttempt attempt = scene.Accept();
        var tried = new List<(string?, int)>();
        while (attempt.Action == SetupAction.Connect)
        {
            tried.Add((attempt.Step.Source.ToString(), attempt.Backend));
            attempt.Fail(ConnectFailure.NoFreePort);
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(tried, Has.Count.EqualTo(9));
            Assert.That(tried, Is.Unique);
            Assert.That((attempt.Action, attempt.Step.Reason), Is.EqualTo((SetupAction.Refuse, CloseReason.SourcePortsExhausted)));
            Assert.That((attempt.Record.Attempts, scene.ConnectAttempts, scene.ConnectFailures), Is.EqualTo((0, 0L, 0L)), "nobody is blamed");
            Assert.That(scene.Snapshot.Sources.Select(s => s.Exhausted), Is.All.EqualTo(3));
            Assert.That(scene.Listener.Refused[CloseReason.SourcePortsExhausted], Is.EqualTo(1));
        }
    }

    [Test]
    public void Next_source_serves_where_the_first_has_no_port()
    {
        var scene = new SetupScene(SetupScene.PoolOf(2, "10.0.0.1", "10.0.0.2"));
        SetupAttempt attempt = scene.Accept();
        (string? source, int backend) = (attempt.Step.Source.ToString(), attempt.Backend);

        attempt.Fail(ConnectFailure.NoFreePort);

        Assert.That(attempt.Step.Source.ToString(), Is.Not.EqualTo(source));
        Assert.That(attempt.Backend, Is.EqualTo(backend), "the same backend first");
        attempt.Connected();
        Assert.That(attempt.Record.Attempts, Is.EqualTo(1));
    }

    [Test]
    public void Source_that_is_not_of_this_host_is_counted_apart_and_is_no_exhaustion()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1, "192.0.2.1"));
        SetupAttempt attempt = scene.Accept();

        attempt.Fail(ConnectFailure.SourceUnusable);

        SourceCell source = scene.Snapshot.Sources.Single();
        using (Assert.EnterMultipleScope())
        {
            Assert.That((attempt.Action, attempt.Step.Reason), Is.EqualTo((SetupAction.Refuse, CloseReason.ConnectFailed)));
            Assert.That((source.Unusable, source.Exhausted), Is.EqualTo((1L, 0L)));
            Assert.That(scene.ConnectFailures, Is.Zero);
        }
    }

    [Test]
    public void One_exhausted_source_among_unusable_ones_makes_it_an_exhaustion([Values] bool exhaustedFirst)
    {
        var scene = new SetupScene(SetupScene.PoolOf(1, "192.0.2.1", "10.0.0.1"));
        SetupAttempt attempt = scene.Accept();
        attempt.Fail(exhaustedFirst ? ConnectFailure.NoFreePort : ConnectFailure.SourceUnusable);
        attempt.Fail(exhaustedFirst ? ConnectFailure.SourceUnusable : ConnectFailure.NoFreePort);

        Assert.That((attempt.Action, attempt.Step.Reason), Is.EqualTo((SetupAction.Refuse, CloseReason.SourcePortsExhausted)));
    }

    [Test]
    public void Backend_that_refused_is_asked_again_though_another_lacked_ports()
    {
        var scene = new SetupScene(SetupScene.PoolOf(2, "10.0.0.1"));
        SetupAttempt attempt = scene.Accept();
        int refused = attempt.Backend;
        attempt.Fail(ConnectFailure.Refused);
        attempt.Fail(ConnectFailure.NoFreePort);
        Assert.That(attempt.Action, Is.EqualTo(SetupAction.Wait));

        attempt.MissDeadline();

        Assert.That((attempt.Action, attempt.Backend), Is.EqualTo((SetupAction.Connect, refused)));
    }

    [Test]
    public void Sources_fit_the_family_of_each_backend()
    {
        PoolSettings pool = SetupScene.PoolOf(1, "10.0.0.1", "[2001:db8::1]", "10.0.0.2");
        var scene = new SetupScene(pool with
        {
            Backends = [pool.Backends[0] with { Address = "[2001:db8::99]:80", Endpoint = SetupScene.At("[2001:db8::99]:80") }],
        });

        for (int i = 0; i < 3; i++)
        {
            Assert.That(scene.Accept().Step.Source.ToString(), Is.EqualTo("2001:db8::1"));
        }
    }
}
