using L4Balancer.Control;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;

namespace L4Balancer.Tests.Control;

/// <summary>In which order a snapshot is prepared, published and committed.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class SnapshotPublisherTests : IAsyncDisposable
{
    private readonly List<string> _calls = [];
    private readonly StillEngine _engine = new();
    private readonly ActiveConfig _first;
    private readonly SnapshotPublisher _publisher;

    public SnapshotPublisherTests()
    {
        var desired = new DesiredState(Connections.Config(backends: 2), 1000);
        _first = new ActiveConfig(desired, RoutingSnapshot.Build(desired));
        _publisher = new SnapshotPublisher(_first, _engine, [new Participant("a", _calls), new Participant("b", _calls)]);
        _engine.OnPublish = s =>
        {
            _calls.Add("publish");
            return [];
        };
    }

    [TearDown]
    public ValueTask DisposeAsync() => _engine.DisposeAsync();

    [Test]
    public void The_first_snapshot_is_committed_at_once() => Assert.That(_calls, Is.EqualTo(new[] { "commit a", "commit b" }));

    [Test]
    public void All_prepare_before_the_engine_has_it_and_commit_after_it()
    {
        _calls.Clear();
        DesiredState desired = Weighted();

        Assert.That(_publisher.Publish(desired), Is.Empty);
        Assert.That(_calls, Is.EqualTo(new[] { "prepare a", "prepare b", "publish", "commit a", "commit b" }));
        Assert.That(_publisher.Now.Desired, Is.SameAs(desired));
        Assert.That(_publisher.Now.Snapshot.Pools[0].Backends[0].Weight, Is.EqualTo(7));
    }

    [Test]
    public void What_the_engine_does_not_take_is_committed_by_nobody()
    {
        _calls.Clear();
        _engine.OnPublish = s => [new ListenFailure("l", s.Listeners[0].Settings.Bind[0], "of the test")];

        Assert.That(_publisher.Publish(Weighted()), Has.Count.EqualTo(1));
        Assert.That(_calls, Is.EqualTo(new[] { "prepare a", "prepare b" }));
        Assert.That(_publisher.Now, Is.SameAs(_first));
    }

    [Test]
    public void What_cannot_be_forwarded_is_not_published_and_what_was_in_force_is_restored()
    {
        List<RoutingSnapshot> forwarded = [];
        _calls.Clear();
        _publisher.Forward = s =>
        {
            forwarded.Add(s);
            return s == _first.Snapshot ? [] : [new ListenFailure("l", default, "of the test")];
        };

        Assert.That(_publisher.Publish(Weighted()), Has.Count.EqualTo(1));
        Assert.That(_calls, Has.None.EqualTo("publish"));
        Assert.That(forwarded, Has.Count.EqualTo(2));
        Assert.That(forwarded[1], Is.SameAs(_first.Snapshot), "an interface before the one that failed may have been changed");
    }

    private DesiredState Weighted()
    {
        Pool pool = _first.Snapshot.Pools[0];
        return _first.Desired.WithOverride(pool.Name, pool.Backends[0].Name, new BackendOverride(BackendMode.Ready, 7));
    }

    private sealed class Participant(string name, List<string> calls) : ISnapshotParticipant
    {
        public void Prepare(RoutingSnapshot next) => calls.Add($"prepare {name}");

        public void Commit(RoutingSnapshot? before, RoutingSnapshot now) => calls.Add($"commit {name}");
    }
}
