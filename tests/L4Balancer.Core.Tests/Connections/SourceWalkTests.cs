using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Ports;

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
            Assert.That((attempt.Record.Attempts, scene.ConnectAttempts, scene.ConnectFailures), Is.EqualTo((0, 0L, 0L)), "no failed connect is counted");
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

        LocalAddressState source = scene.Snapshot.Sources.Single();
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

    [Test]
    public void Source_with_the_most_free_ports_towards_the_backend_comes_first()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1, "10.0.0.1", "10.0.0.2", "10.0.0.3"));
        SetupAttempt[] open = [.. Enumerable.Range(0, 9).Select(_ => Established(scene))];
        foreach (SetupAttempt leaving in open.Where(a => a.Record.LocalEndpoint.Address.ToString() == "10.0.0.2"))
        {
            leaving.Record.Close(scene.Snapshot.State, CloseReason.BackendClosed, wasFirst: false, scene.Now);
        }

        for (int i = 0; i < 3; i++)
        {
            Assert.That(Established(scene).Record.LocalEndpoint.Address.ToString(), Is.EqualTo("10.0.0.2"));
        }
    }

    [Test]
    public void Ports_left_in_time_wait_count_against_a_source_for_a_minute()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1, "10.0.0.1", "10.0.0.2"));
        SetupAttempt first = Established(scene);
        string left = first.Record.LocalEndpoint.Address.ToString();
        first.Record.Close(scene.Snapshot.State, CloseReason.ClientClosed, wasFirst: true, scene.Now);
        for (int i = 0; i < 4; i++)
        {
            SetupAttempt next = Established(scene);
            Assert.That(next.Record.LocalEndpoint.Address.ToString(), Is.Not.EqualTo(left));
            next.Record.Close(scene.Snapshot.State, CloseReason.BackendClosed, wasFirst: false, scene.Now);
        }

        scene.Pass(TimeSpan.FromMinutes(1));
        Assert.That(Enumerable.Range(0, 2).Select(_ => Established(scene).Record.LocalEndpoint.Address.ToString()), Does.Contain(left));
    }

    [Test]
    public void Of_many_sources_all_are_used()
    {
        string[] sources = [.. Enumerable.Range(1, 40).Select(i => $"10.0.0.{i}")];
        var scene = new SetupScene(SetupScene.PoolOf(1, sources));

        Assert.That(
            Enumerable.Range(0, 80).Select(_ => Established(scene).Record.LocalEndpoint.Address.ToString()).Distinct().Count(), Is.EqualTo(40));
    }

    [Test]
    public void Full_windows_are_followed_by_others_and_then_by_the_whole_range_which_alone_is_an_exhaustion()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1, "10.0.0.1"));
        scene.Snapshot.Ports.Supply.Range = PortRange.Parse("10000 10999", "");
        for (int i = 0; i < 400; i++)
        {
            Established(scene, (ushort)(10_000 + i));
        }

        SetupAttempt attempt = scene.Accept();
        var windows = new List<PortWindow?>();
        while (attempt.Action == SetupAction.Connect)
        {
            Assert.That(scene.Snapshot.Sources[0].Exhausted, Is.Zero);
            windows.Add(attempt.Step.Window);
            attempt.Fail(ConnectFailure.NoFreePort);
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(windows, Has.Count.InRange(3, 12));
            Assert.That(windows[..^1], Is.All.Not.Null);
            Assert.That(windows, Is.Unique);
            Assert.That(windows[^1], Is.Null);
            Assert.That(attempt.Step.Reason, Is.EqualTo(CloseReason.SourcePortsExhausted));
            Assert.That(scene.Snapshot.Sources[0].Exhausted, Is.EqualTo(1));
            Assert.That(scene.Ports.Held, Is.EqualTo(400), "the refused one holds nothing");
        }
    }

    [Test]
    public void Kernel_is_not_asked_again_for_a_moment_after_it_has_refused_the_whole_range()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1, "10.0.0.1"));
        SetupAttempt open = Established(scene);
        scene.Accept().Fail(ConnectFailure.NoFreePort);

        SetupAttempt next = scene.Accept();
        Assert.That((next.Action, next.Step.Reason), Is.EqualTo((SetupAction.Refuse, CloseReason.SourcePortsExhausted)));
        Assert.That((scene.Snapshot.Sources[0].Exhausted, next.Record.Attempts), Is.EqualTo((2, 0)));

        open.Record.Close(scene.Snapshot.State, CloseReason.BackendClosed, wasFirst: false, scene.Now);
        Assert.That(scene.Accept().Action, Is.EqualTo(SetupAction.Connect), "a port of ours is free again");

        scene.Accept().Fail(ConnectFailure.NoFreePort);
        scene.Pass(TimeSpan.FromMilliseconds(100));
        Assert.That(scene.Accept().Action, Is.EqualTo(SetupAction.Connect), "others may have gone");
    }

    [Test]
    public void Every_way_out_of_a_set_up_returns_the_port()
    {
        var scene = new SetupScene(SetupScene.PoolOf(1, "10.0.0.1") with { ConnectAttempts = 1 });

        scene.Accept().Abandon(CloseReason.ClientReset);
        scene.Accept().MissDeadline();
        scene.Accept().Fail(ConnectFailure.Refused);
        scene.Accept().Fail(ConnectFailure.LocalShortage);
        scene.Accept().Fail(ConnectFailure.SourceUnusable);
        scene.Accept().Fail(ConnectFailure.NoFreePort);
        Assert.That(scene.Ports.InUse(scene.Now), Is.Zero);

        scene.Pass(TimeSpan.FromSeconds(1));
        SetupAttempt established = Established(scene);
        Assert.That(scene.Ports.Held, Is.EqualTo(1));
        established.Record.Leave(scene.Snapshot.State);
        Assert.That(scene.Ports.Held, Is.Zero);
        established.Record.Join(scene.Snapshot.State);
        established.Record.Close(scene.Snapshot.State, CloseReason.BackendClosed, wasFirst: false, scene.Now);
        Assert.That(scene.Ports.InUse(scene.Now), Is.Zero);
    }

    private static SetupAttempt Established(SetupScene scene, ushort port = 20_000)
    {
        SetupAttempt attempt = scene.Accept();
        attempt.Connected($"{attempt.Step.Source}:{port}");
        return attempt;
    }
}
