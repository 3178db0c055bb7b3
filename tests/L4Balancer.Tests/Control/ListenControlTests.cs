using L4Balancer.Control;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Control;

/// <summary>When the engine is asked to close and bind listening sockets because of a pool, and what is tried again.</summary>
internal sealed class ListenControlTests
{
    private static readonly ListenFailure Taken = new("wss", default, "the port is in use");

    [TestCase(OnPoolDown.StopListening, 3)]
    [TestCase(OnPoolDown.Refuse, 0)]
    public async Task The_engine_is_asked_when_the_pool_goes_and_comes_and_only_then(OnPoolDown policy, int expected)
    {
        int asked = 0;
        RoutingSnapshot snapshot = Snapshot(policy);
        await using var control = new ListenControl(Engine(Ask), static () => { }, TimeProvider.System, NullLogger.Instance);
        control.Commit(null, snapshot);
        control.Sync();
        Turn(snapshot, HealthState.Down);
        control.Sync();
        control.Sync();
        Turn(snapshot, HealthState.Up);
        control.Sync();

        Assert.That(asked, Is.EqualTo(expected));

        IReadOnlyList<ListenFailure> Ask()
        {
            asked++;
            return [];
        }
    }

    [Test]
    public async Task What_cannot_be_bound_again_is_tried_every_second_until_it_can()
    {
        var clock = new FakeTimeProvider();
        IReadOnlyList<ListenFailure> failures = [Taken];
        int due = 0;
        await using var control = new ListenControl(Engine(() => failures), () => due++, clock, NullLogger.Instance);
        control.Commit(null, Snapshot(OnPoolDown.StopListening));
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.That(due, Is.EqualTo(1));
        control.TryAgain();
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.That(due, Is.EqualTo(2));

        failures = [];
        control.TryAgain();
        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.That(due, Is.EqualTo(2));
    }

    private static StillEngine Engine(Func<IReadOnlyList<ListenFailure>> follow) => new() { OnFollowPools = follow };

    private static RoutingSnapshot Snapshot(OnPoolDown policy)
    {
        BalancerConfig config = Connections.Config();
        return RoutingSnapshot.Build(new(config with { Listeners = [config.Listeners[0] with { OnPoolDown = policy }] }, 1000));
    }

    private static void Turn(RoutingSnapshot snapshot, HealthState health) =>
        snapshot.Pools[0].SetHealth(new Dictionary<int, HealthState> { [0] = health });
}
