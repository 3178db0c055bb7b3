using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Direct;
using L4Balancer.Core.Health;
using L4Balancer.Core.Inspection;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Direct;

/// <summary>Which backend a client is handed, in virtual time.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class HandOutTests
{
    private static readonly HandOutAsk Any = new(null, [], default);
    private static readonly TimeSpan UnderWay = TimeSpan.FromSeconds(10);
    private static readonly Instant Start = new(TimeSpan.TicksPerHour);

    private readonly HandOuts _handOuts = new(seed: 7);

    [TestCase(false, 0)]
    [TestCase(true, 0)]
    [TestCase(true, 5000)]
    public void Each_gets_its_share_by_weight_and_slow_start_and_a_draining_one_nothing(bool eachAtOnce, int relayed)
    {
        int[] weights = [100, 50, 200, 100, 100, 25, 100, 300];
        Pool pool = Build(new() { Name = "chat" }, weights);
        pool.SetMode(3, BackendMode.Draining);
        pool.SetRamp(4, 0.4);
        double[] effective = [.. weights.Select((w, i) => i == 3 ? 0 : i == 4 ? 0.4 * w : w)];
        for (int i = 0; i < weights.Length; i++)
        {
            Relay(pool, i, (int)(relayed * effective[i] / effective.Sum()) + (i % 2));
        }

        int[] counts = new int[weights.Length];
        for (int i = 0; i < 10_000; i++)
        {
            // Ten requests of each of a thousand addresses, one address after the other or in turn, within a second.
            HostAddress source = HostAddress.FromV4(0x7F01_0000 + (uint)(eachAtOnce ? i / 10 : i % 1000));
            Instant now = Start + (TimeSpan.FromSeconds(1) * (i / 10_000.0));
            Assert.That(_handOuts.TryAsk(source, 10, now, out _), Is.True);
            counts[_handOuts.Take(pool, Any, source, UnderWay, now).Backend!.Index]++;
        }

        TestContext.Out.WriteLine(string.Join(' ', counts));
        using (Assert.EnterMultipleScope())
        {
            for (int i = 0; i < counts.Length; i++)
            {
                Assert.That(counts[i], Is.EqualTo(10_000 * effective[i] / effective.Sum()).Within(5).Percent, $"backend {i}");
            }
        }
    }

    [Test]
    public void Requests_that_come_one_by_one_are_shared_by_weight_too()
    {
        Pool pool = Build(new() { Name = "chat" }, 100, 300, 600);
        int[] counts = new int[3];
        for (int i = 0; i < 1000; i++)
        {
            counts[Take(pool, Any, Start + TimeSpan.FromMinutes(i))]++;
        }

        Assert.That(counts, Is.EqualTo(new[] { 100, 300, 600 }));
    }

    [Test]
    public void One_source_that_asks_without_end_gets_its_share_of_each_and_counts_four_times()
    {
        Pool pool = Build(new() { Name = "chat" }, 100, 100, 100, 100, 100);
        int[] counts = new int[5];
        for (int i = 0; i < 1000; i++)
        {
            counts[Take(pool, Any, Start)]++;
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(counts, Is.All.InRange(190, 210));
            Assert.That(_handOuts.Count, Is.EqualTo(HandOuts.MostPerSource));
            Assert.That(pool.Backends.Sum(b => b.State.HandedOut), Is.EqualTo(HandOuts.MostPerSource));
        }
    }

    [Test]
    public void A_backend_that_holds_fewer_relayed_connections_catches_up_first()
    {
        Pool pool = Build(new() { Name = "chat" }, 100, 100, 100);
        Relay(pool, 0, 100);
        Relay(pool, 1, 100);

        int[] counts = new int[3];
        for (uint i = 0; i < 100; i++)
        {
            counts[_handOuts.Take(pool, Any, HostAddress.FromV4(i), UnderWay, Start).Backend!.Index]++;
        }

        Assert.That(counts[2], Is.GreaterThanOrEqualTo(90), "the emptier one");
    }

    [Test]
    public void One_source_that_asks_for_one_key_without_end_hardly_changes_what_others_get()
    {
        Pool pool = Build(new() { Name = "chat", Balance = BalanceKind.Ring }, 100, 100, 100, 100);
        for (int i = 0; i < 1000; i++)
        {
            Take(pool, new HandOutAsk("one", [], default), Start);
        }

        int[] counts = new int[4];
        for (uint i = 0; i < 1000; i++)
        {
            counts[_handOuts.Take(pool, Any, HostAddress.FromV4(i), UnderWay, Start).Backend!.Index]++;
        }

        Assert.That(counts, Is.All.InRange(245, 255));
    }

    [Test]
    public void It_counts_for_its_time_where_backends_are_compared_and_against_no_limit()
    {
        Pool pool = Build(new() { Name = "chat", Balance = BalanceKind.LeastConnections }, [100, 100], b => b with { MaxConnections = 1 });
        int first = Take(pool, Any, Start);
        BackendState state = pool.Backends[first].State;

        using (Assert.EnterMultipleScope())
        {
            Assert.That(state.WeighedLoad(Start), Is.EqualTo(1));
            Assert.That(state.Load, Is.Zero, "against max_connections and bounds");
            Assert.That(pool.Pick(default(FourTuple), []), Is.EqualTo(1 - first), "the relayed client goes to the other one");
            state.CountPicked();
            pool.Backends[1 - first].State.CountPicked();
            Assert.That(Look(pool, Any, Start).Fault, Is.EqualTo(HandOutFault.NoBackend), "both are full");
            _handOuts.Expire(Start + (UnderWay - TimeSpan.FromMilliseconds(1)));
            Assert.That(state.HandedOut, Is.EqualTo(1));
            _handOuts.Expire(Start + UnderWay);
            Assert.That(state.HandedOut, Is.Zero);
            Assert.That(_handOuts.SourceCount, Is.Zero, "nothing is remembered of a silent source");
        }
    }

    [Test]
    public void Only_a_backend_that_lives_is_handed_out()
    {
        Pool pool = Build(new() { Name = "chat" }, 100, 0, 100, 100, 100, 100);
        pool.SetMode(2, BackendMode.Maintenance);
        pool.SetHealth(new Dictionary<int, HealthState> { [3] = HealthState.Down, [4] = HealthState.Checking, [5] = HealthState.Degraded });

        using (Assert.EnterMultipleScope())
        {
            HandOut only = Look(pool, Any, Start);
            Assert.That(only.Backend!.Index, Is.Zero);
            Assert.That(only.Alternates, Is.Empty);
            pool.SetMode(0, BackendMode.Draining);
            Assert.That(Look(pool, Any, Start).Fault, Is.EqualTo(HandOutFault.NoBackend), "not the one that is being checked either");
        }
    }

    [Test]
    public void Only_a_backend_with_a_public_url_is_handed_out()
    {
        Pool pool = Build(new() { Name = "chat" }, [100, 100], b => b.Name == "b1" ? b with { PublicUrl = "" } : b);

        Assert.That(Enumerable.Range(0, 4).Select(_ => Take(pool, Any, Start)), Is.All.Zero);
    }

    [Test]
    public void Backups_are_handed_out_only_while_no_primary_lives()
    {
        Pool pool = Build(new() { Name = "chat" }, [100, 100, 100], b => b with { Backup = b.Name != "b0" });

        using (Assert.EnterMultipleScope())
        {
            Assert.That(Look(pool, Any, Start).Backend!.Index, Is.Zero);
            Assert.That(Look(pool, new HandOutAsk(null, ["b0"], default), Start).Fault, Is.EqualTo(HandOutFault.NoBackend), "the primary lives");
            pool.SetMode(0, BackendMode.Draining);
            Assert.That(Look(pool, Any, Start).Backend!.Settings.Backup, Is.True);
        }
    }

    [TestCase("b1")]
    [TestCase("chat/b1")]
    public void An_excluded_backend_is_neither_chosen_nor_an_alternate(string excluded)
    {
        foreach (BalanceKind balance in new[] { BalanceKind.RoundRobin, BalanceKind.Ring })
        {
            Pool pool = Build(new() { Name = "chat", Balance = balance }, 100, 100, 100);
            for (int i = 0; i < 50; i++)
            {
                string? key = balance == BalanceKind.Ring ? $"room {i}" : null;
                HandOut chosen = _handOuts.Take(pool, new HandOutAsk(key, [excluded, "other/b0", "none"], default), default, UnderWay, Start);
                int[] all = [chosen.Backend!.Index, .. chosen.Alternates.Select(a => a.Index)];
                Assert.That(all, Is.EquivalentTo(new[] { 0, 2 }));
            }
        }
    }

    [Test]
    public void Alternates_are_two_others()
    {
        foreach (BalanceKind balance in new[] { BalanceKind.LeastConnections, BalanceKind.Ring, BalanceKind.Maglev })
        {
            Pool pool = Build(new() { Name = "chat", Balance = balance }, 100, 10, 100, 200);
            for (int i = 0; i < 200; i++)
            {
                HandOut chosen = _handOuts.Take(
                    pool, new HandOutAsk(balance == BalanceKind.LeastConnections ? null : $"{i}", [], default), default, UnderWay, Start);
                int[] all = [chosen.Backend!.Index, .. chosen.Alternates.Select(a => a.Index)];
                Assert.That(all, Has.Length.EqualTo(3).And.Unique);
            }
        }
    }

    [TestCase(BalanceKind.Ring)]
    [TestCase(BalanceKind.Maglev)]
    public void A_key_has_the_backend_that_a_relayed_connection_of_it_has(BalanceKind balance)
    {
        HashKeyField.TryParse("http-query:room", out HashKeyField? room);
        Pool pool = Build(new() { Name = "chat", Balance = balance, HashKey = TupleFields.None, HashFields = [room!], BoundedLoad = 0 }, 100, 50, 100, 200, 10);
        pool.SetHealth(new Dictionary<int, HealthState> { [2] = HealthState.Down });
        for (int i = 0; i < 1000; i++)
        {
            HandOut chosen = _handOuts.Take(pool, new HandOutAsk($"room-{i}", [], default), HostAddress.FromV4((uint)i), UnderWay, Start);

            Assert.That(chosen.Backend!.Index, Is.EqualTo(pool.Pick(new RouteKey(System.Text.Encoding.UTF8.GetBytes($"room-{i}")), [])));
        }
    }

    [Test]
    public void A_key_needs_a_pool_that_chooses_by_key() => Assert.That(
        Look(Build(new() { Name = "chat", Balance = BalanceKind.LeastConnections }, 100), new HandOutAsk("k", [], default), Start).Fault,
        Is.EqualTo(HandOutFault.NotByKey));

    [Test]
    public void The_rate_of_new_connections_holds_and_no_relayed_client_waits_for_it()
    {
        Pool pool = Build(new() { Name = "chat", NewConnectionRate = 50 }, 100);
        BackendState state = pool.Backends[0].State;
        TimeSpan between = TimeSpan.FromSeconds(1) / 50;
        int handed = 0;
        for (int i = 0; i < 1000; i++)
        {
            handed += Take(pool, Any, Start + (TimeSpan.FromSeconds(1) * (i / 1000.0))) >= 0 ? 1 : 0;
        }

        Instant later = Start + TimeSpan.FromSeconds(1);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(handed, Is.InRange(50, 51));
            Assert.That(state.TryReserve(later, between, later, out Instant turn), Is.True, "the rate is used up by what was handed out");
            Assert.That(turn, Is.EqualTo(later), "a relayed client waits for none of it");
            Assert.That(state.TryReserve(later, between, later + between, out _), Is.True, "and another one is queued");
            Assert.That(Look(pool, Any, later + between).Fault, Is.EqualTo(HandOutFault.Rate), "while one is queued nothing is handed out");
            Assert.That(Look(pool, Any, later + (2 * between)).Backend, Is.Not.Null);
        }
    }

    [Test]
    public void A_source_that_asks_too_fast_is_told_how_long_to_wait()
    {
        HostAddress source = HostAddress.FromV4(1);
        for (int i = 0; i < 10; i++)
        {
            Assert.That(_handOuts.TryAsk(source, 10, Start, out _), Is.True, "a second's worth at once");
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(_handOuts.TryAsk(source, 10, Start, out TimeSpan wait), Is.False);
            Assert.That(wait, Is.EqualTo(TimeSpan.FromMilliseconds(100)).Within(TimeSpan.FromMilliseconds(1)));
            Assert.That(_handOuts.TryAsk(HostAddress.FromV4(2), 10, Start, out _), Is.True, "another source");
            Assert.That(_handOuts.TryAsk(source, 10, Start + wait, out _), Is.True);
            Assert.That(_handOuts.TryAsk(source, 0, Start, out _), Is.True, "no limit");
        }
    }

    [Test]
    public void Memory_is_bounded_however_many_sources_ask()
    {
        Pool pool = Build(new() { Name = "chat" }, 100, 100);
        for (uint i = 0; i < 200_000; i++)
        {
            _handOuts.TryAsk(HostAddress.FromV4(i), 10, Start, out _);
            _handOuts.Take(pool, Any, HostAddress.FromV4(i), UnderWay, Start);
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(_handOuts.SourceCount, Is.LessThanOrEqualTo(65_536));
            Assert.That(_handOuts.Count, Is.EqualTo(16_384));
            Assert.That(pool.Backends.Sum(b => b.State.HandedOut), Is.EqualTo(16_384), "what was forgotten counts no longer");
        }
    }

    private int Take(Pool pool, HandOutAsk ask, Instant now) =>
        _handOuts.Take(pool, ask, HostAddress.FromV4(0x0A00_0001), UnderWay, now).Backend?.Index ?? -1;

    private HandOut Look(Pool pool, HandOutAsk ask, Instant now) => _handOuts.Look(pool, ask, now);

    private static void Relay(Pool pool, int backend, int connections)
    {
        for (int i = 0; i < connections; i++)
        {
            pool.Backends[backend].State.CountEstablished();
        }
    }

    private static Pool Build(PoolSettings settings, params int[] weights) => Build(settings, weights, static b => b);

    private static Pool Build(PoolSettings settings, int[] weights, Func<BackendSettings, BackendSettings> change)
    {
        PoolSettings whole = settings with
        {
            Backends =
            [
                .. weights.Select((weight, i) =>
                {
                    Endpoint.TryParse($"10.0.0.{i + 1}:443", out Endpoint address);
                    return change(new BackendSettings
                    {
                        Name = $"b{i}", Address = address.ToString(), Endpoint = address, Weight = weight, PublicUrl = $"wss://b{i}.example.com",
                    });
                }),
            ],
        };
        return RoutingSnapshot.Build(new(new BalancerConfig { Pools = [whole] }, 5)).Pools[0];
    }
}
