using System.Collections.Immutable;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Tests.Balancing;

namespace L4Balancer.Core.Tests.Routing;

/// <summary>What a pool chooses, as plain numbers: the same for every connection, in every state of the pool.</summary>
internal sealed class FlatTableTests
{
    private static readonly FourTuple[] Tuples = Samples.Tuples(1_000);

    [TestCase(TupleFields.All)]
    [TestCase(TupleFields.SourceIp)]
    public void It_chooses_as_the_pool_does_whatever_happens_to_the_backends(TupleFields key)
    {
        var random = new Random(5);
        for (int round = 0; round < 60; round++)
        {
            Pool pool = Build(key, [.. Enumerable.Range(0, random.Next(1, 40)).Select(_ => random.Next(0, 1000))]);
            Disturb(pool, random);
            FlatTable flat = pool.Flatten();
            byte[] buffer = new byte[TupleHash.MaxLength];
            foreach (FourTuple tuple in Tuples)
            {
                Assert.That(flat.Pick(pool.Key.OfTuple(tuple, buffer)), Is.EqualTo(pool.Pick(tuple, [])), $"round {round}");
            }
        }
    }

    [Test]
    public void A_half_open_backend_gets_no_packets()
    {
        Pool pool = Build(TupleFields.All, 100, 100);
        pool.SetHealth(new Dictionary<int, HealthState> { [0] = HealthState.HalfOpen });

        Assert.That(pool.Flatten().Available, Is.EqualTo([((ushort)1, 100)]));
    }

    [Test]
    public void Two_differ_by_what_lives_and_by_slow_start_and_by_weights()
    {
        Pool pool = Build(TupleFields.All, 100, 100, 100);
        FlatTable before = pool.Flatten();
        Assert.That(before.IsSameAs(pool.Flatten()));
        Assert.That(before.IsSameAs(Build(TupleFields.All, 100, 100, 100).Flatten()));
        Assert.That(before.IsSameAs(Build(TupleFields.All, 100, 100, 50).Flatten()), Is.False);
        pool.SetRamp(1, 0.5);
        Assert.That(before.IsSameAs(pool.Flatten()), Is.False);
        pool.SetRamp(1, 1);
        pool.SetMode(2, BackendMode.Draining);
        Assert.That(before.IsSameAs(pool.Flatten()), Is.False);
        pool.SetMode(2, BackendMode.Ready);
        Assert.That(before.IsSameAs(pool.Flatten()));
    }

    private static void Disturb(Pool pool, Random random)
    {
        Dictionary<int, HealthState> health = [];
        foreach (Backend backend in pool.Backends)
        {
            health[backend.Index] = random.Next(5) switch
            {
                0 => HealthState.Down,
                1 => HealthState.Degraded,
                2 => HealthState.Checking,
                _ => HealthState.Up,
            };
            if (random.Next(6) == 0)
            {
                pool.SetMode(backend.Index, random.Next(2) == 0 ? BackendMode.Draining : BackendMode.Maintenance);
            }

            if (random.Next(3) == 0)
            {
                // Down to a share that hardly any key gets.
                pool.SetRamp(backend.Index, random.NextDouble() * (random.Next(2) == 0 ? 1 : 0.001));
            }
        }

        if (random.Next(4) == 0)
        {
            health = health.ToDictionary(static h => h.Key, static _ => HealthState.Checking);
        }

        pool.SetHealth(health);
    }

    private static Pool Build(TupleFields key, params int[] weights)
    {
        ImmutableArray<BackendSettings> settings =
            [.. weights.Select((w, i) => new BackendSettings { Name = $"b{i}", Address = $"10.0.{i / 200}.{i % 200}:443", Endpoint = At(i), Weight = w })];
        var state = new PoolState("p", 1, 2);
        PoolSettings pool = new()
        {
            Name = "p",
            Balance = BalanceKind.Maglev,
            HashKey = key,
            SlowStart = TimeSpan.FromSeconds(10),
            PanicThreshold = 0.2,
            Backends = settings,
        };
        return new Pool(
            pool, state, [.. settings.Select((s, i) => new Backend(i, s, new BackendState(state, s.Name), s.Weight))],
            new SourceRotation([new LocalAddressState(null)]));
    }

    private static Endpoint At(int i) => new(HostAddress.FromV4((uint)(0x0A00_0000 + i)), 443);
}
