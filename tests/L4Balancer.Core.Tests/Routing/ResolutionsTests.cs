using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Balancing;
using L4Balancer.Core.Tests.Connections;

namespace L4Balancer.Core.Tests.Routing;

/// <summary>What a host name stands for, and what becomes of a backend that has only a name.</summary>
internal sealed class ResolutionsTests
{
    private static readonly BalancerConfig Config = ConfigOf(Pool("p"));

    [Test]
    public void The_lowest_address_is_taken_IPv4_first_and_whatever_the_order_of_the_answer()
    {
        Assert.That(Address(Resolutions.None.After(Config, Answer("2001:db8::1", "10.0.0.9", "10.0.0.10"))), Is.EqualTo("10.0.0.9"));
        Assert.That(Address(Resolutions.None.After(Config, Answer("10.0.0.10", "10.0.0.9", "::1"))), Is.EqualTo("10.0.0.9"));
        Assert.That(Address(Resolutions.None.After(Config, Answer("2001:db8::2", "2001:db8::1"))), Is.EqualTo("2001:db8::1"));
    }

    [Test]
    public void The_address_stays_while_it_is_among_the_answers()
    {
        Resolutions first = Resolutions.None.After(Config, Answer("10.0.0.9"));
        Resolutions second = first.After(Config, Answer("10.0.0.1", "10.0.0.9"));
        Resolutions third = second.After(Config, Answer("10.0.0.1", "10.0.0.2"));

        Assert.That(Address(second), Is.EqualTo("10.0.0.9"));
        Assert.That(second.After(Config, Answer("10.0.0.9", "10.0.0.1")), Is.SameAs(second), "nothing to put in force");
        Assert.That(Address(third), Is.EqualTo("10.0.0.1"));
    }

    [Test]
    public void All_addresses_of_an_answer_are_known_and_the_next_one_comes_after_the_current_one()
    {
        Resolutions first = Resolutions.None.After(Config, Answer("2001:db8::1", "10.0.0.9", "10.0.0.7"));
        Assert.That(All(first), Is.EqualTo("10.0.0.7 10.0.0.9 2001:db8::1"));

        Resolutions second = first.With("p", Name, Parse("10.0.0.9"));
        Assert.That(All(second), Is.EqualTo("10.0.0.9 2001:db8::1 10.0.0.7"));
        Assert.That(second.After(Config, Answer("10.0.0.7", "10.0.0.9", "2001:db8::1")), Is.SameAs(second), "it stays there");
        Assert.That(All(second.After(Config, Answer("10.0.0.7", "10.0.0.9", "10.0.0.8"))), Is.EqualTo("10.0.0.9 10.0.0.7 10.0.0.8"));
        Assert.That(second.With("p", Name, Parse("10.0.0.99")), Is.SameAs(second), "it is no longer an address of the name");
    }

    [Test]
    public void Two_services_on_one_host_may_use_different_addresses_of_it()
    {
        PoolSettings pool = Pool("p");
        BackendSettings other = pool.Backends[0] with { Name = "other", Address = "host.name:81", Host = Name with { Port = 81 } };
        Resolutions both = Resolutions.None.After(ConfigOf(pool with { Backends = [.. pool.Backends, other] }), Answer("10.0.0.7", "10.0.0.9"));
        both = both.With("p", Name, Parse("10.0.0.9"));

        Assert.That((both["p", Name]!.Current.ToString(), both["p", Name with { Port = 81 }]!.Current.ToString()), Is.EqualTo(("10.0.0.9", "10.0.0.7")));
    }

    [Test]
    public void Each_pool_takes_an_address_that_its_sources_can_reach()
    {
        BalancerConfig config = ConfigOf(Pool("p"), Pool("six", "2001:db8::99"), Pool("four", "10.9.9.9"));
        Resolutions both = Resolutions.None.After(config, Answer("10.0.0.9", "2001:db8::1"));
        Resolutions one = Resolutions.None.After(config, Answer("10.0.0.9"));

        Assert.That((Address(both), Address(both, "six"), Address(both, "four")), Is.EqualTo(("10.0.0.9", "2001:db8::1", "10.0.0.9")));
        Assert.That((Address(one), Address(one, "six")), Is.EqualTo(("10.0.0.9", "none")));
        Assert.That(
            Resolutions.WhyNone(Answer("10.0.0.9")["host.name"]),
            Is.EqualTo("name resolves to 10.0.0.9, and source_ips has no address of that family"));
    }

    [Test]
    public void A_name_without_an_answer_has_no_address_and_says_why()
    {
        Resolutions none = Resolutions.None.After(Config, new Dictionary<string, NameAnswer> { ["host.name"] = new([], "no such name") });

        Assert.That(none, Is.SameAs(Resolutions.None));
        Assert.That(Resolutions.WhyNone(new NameAnswer([], "no such name")), Is.EqualTo("name does not resolve: no such name"));
        Assert.That(Resolutions.WhyNone(null), Is.EqualTo("name does not resolve: no answer yet"));
    }

    [Test]
    public void A_backend_without_an_address_is_down_and_never_picked_not_even_in_a_panic()
    {
        BalancerConfig config = ConfigOf(Pool("p") with { PanicThreshold = 1 });
        Pool pool = RoutingSnapshot.Build(new(config, 10)).Pools[0];

        Assert.That((pool.IsDown(0), pool.StatusOf(0), pool.Takes(0)), Is.EqualTo((true, BackendStatus.Down, false)));
        Assert.That(Samples.Tuples(1000).Select(t => pool.Pick(t, [])), Is.All.EqualTo(1));
        pool.SetHealth(new Dictionary<int, HealthState> { [0] = HealthState.Up, [1] = HealthState.Down });
        Assert.That(pool.IsDown(0), Is.True, "no probe brings it up");
        Assert.That(Samples.Tuples(1000).Select(t => pool.Pick(t, [])), Is.All.EqualTo(1), "the panic");
    }

    [Test]
    public void A_new_address_keeps_the_backend_its_counts_and_its_place_on_the_ring()
    {
        Resolutions first = Resolutions.None.After(Config, Answer("10.0.0.9"));
        var desired = new DesiredState(Config, 10) { Names = first };
        RoutingSnapshot before = RoutingSnapshot.Build(desired);
        desired = desired with { Names = first.After(Config, Answer("10.0.0.77")) };
        RoutingSnapshot now = RoutingSnapshot.Build(desired, before);
        (Pool then, Pool pool) = (before.Pools[0], now.Pools[0]);

        Assert.That((then.Backends[0].Endpoint.ToString(), pool.Backends[0].Endpoint.ToString()), Is.EqualTo(("10.0.0.9:80", "10.0.0.77:80")));
        Assert.That(pool.Backends[0].State, Is.SameAs(then.Backends[0].State));
        Assert.That(now.Generation, Is.EqualTo(before.Generation));
        Assert.That(Samples.Tuples(1000).Select(t => pool.Pick(t, [])), Is.EqualTo(Samples.Tuples(1000).Select(t => then.Pick(t, []))));
        Assert.That(RoutingSnapshot.Build(desired, now).Pools[0].Backends[0].Endpoint, Is.EqualTo(pool.Backends[0].Endpoint), "kept");
        Assert.That(RoutingSnapshot.Build(desired.WithFile(Config, 10), now).Pools[0].Backends[0].Endpoint, Is.EqualTo(pool.Backends[0].Endpoint), "kept");
    }

    private static HostName Name => new("host.name", 80);

    private static string All(Resolutions resolutions) =>
        resolutions["p", Name] is { } known ? string.Join(' ', known.Others.Prepend(known.Current)) : "none";

    private static string Address(Resolutions resolutions, string pool = "p") => resolutions[pool, new HostName("host.name", 80)]?.Current.ToString() ?? "none";

    private static Dictionary<string, NameAnswer> Answer(params string[] addresses) =>
        new() { ["host.name"] = new NameAnswer([.. addresses.Select(Parse)], "") };

    private static HostAddress Parse(string text) => HostAddress.TryParse(text, out HostAddress address) ? address : throw new FormatException(text);

    private static BalancerConfig ConfigOf(params PoolSettings[] pools) => new() { Pools = [.. pools] };

    private static PoolSettings Pool(string name, params string[] sources) => new()
    {
        Name = name,
        SourceIps = [.. sources.Select(Parse)],
        Backends =
        [
            new BackendSettings { Name = "named", Address = "host.name:80", Host = new HostName("host.name", 80) },
            new BackendSettings { Name = "fixed", Address = "10.0.1.1:80", Endpoint = SetupScene.At("10.0.1.1:80") },
        ],
    };
}
