using System.Runtime.CompilerServices;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Inspection;
using L4Balancer.Core.Sticky;
using L4Balancer.Core.Tests.Balancing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Sticky;

/// <summary>What the table keeps and what it displaces: against a naive table, and at its bounds.</summary>
internal sealed class StickyTableTests
{
    private static readonly TimeSpan Ttl = TimeSpan.FromMinutes(1);
    private static readonly Instant Start = new(TimeSpan.TicksPerDay);
    /// <summary>What each table was made with.</summary>
    private static readonly ConditionalWeakTable<StickyTable, StickySettings> Limits = [];

    private static readonly BackendState Backend = new(new PoolState("p"), "b");

    [Test]
    public void The_key_whose_last_connection_ended_first_leaves_first()
    {
        StickyTable table = Table(10);
        StickyHold[] holds = [.. Enumerable.Range(0, 10).Select(i => Hold(table, i, Start))];
        foreach (int client in new[] { 3, 1, 4, 5, 9, 2, 6, 8, 7 })
        {
            table.Release(ref holds[client], Start + TimeSpan.FromSeconds(1));
        }

        List<int> left = [];
        for (int next = 10; next < 19; next++)
        {
            Hold(table, next, Start + TimeSpan.FromSeconds(2));
            left.AddRange([.. Enumerable.Range(0, 10).Where(i => !left.Contains(i) && Find(table, i, Start + TimeSpan.FromSeconds(2)) is null)]);
        }

        Assert.That(left, Is.EqualTo(new[] { 3, 1, 4, 5, 9, 2, 6, 8, 7 }), "the living one stays");
        Hold(table, 19, Start + TimeSpan.FromSeconds(2));
        Assert.That(Find(table, 0, Start + TimeSpan.FromSeconds(2)), Is.Null, "only living ones are left: the oldest of them leaves");
        Assert.That(table.Count(Ttl, Start + TimeSpan.FromSeconds(2)), Is.EqualTo(10));
    }

    [TestCase(100, 1)]
    [TestCase(5_000, 50)]
    [TestCase(80_000, 800)]
    public void A_client_holds_at_most_a_hundredth_and_displaces_its_own(int entries, int most)
    {
        StickyTable table = Table(entries);
        Hold(table, client: 0x0B00_0000, Start);
        for (int port = 0; port < 4 * most; port++)
        {
            Hold(table, 0x0A00_0001, Start, (ushort)(port + 1));
        }

        // The shares of the shards are whole numbers, and keys do not fall evenly into them.
        int own = table.Count(Ttl, Start) - 1;
        Assert.That(own, Is.InRange(most * 9 / 10, most));
        Assert.That(Find(table, 0x0A00_0001, Start, (ushort)(4 * most)), Is.SameAs(Backend), "the newest is there");
        Assert.That(Find(table, 0x0B00_0000, Start), Is.SameAs(Backend), "another client lost nothing");
    }

    [Test]
    public void The_addresses_of_an_IPv6_network_are_one_client()
    {
        StickyTable table = Table(1000);
        for (ulong host = 1; host <= 100; host++)
        {
            StickyHold held = default;
            var tuple = new FourTuple(new Endpoint(new HostAddress(0x2001_0DB8_0000_0001, host), 1), default);
            Assert.That(
                table.TryHold(table.HashOf(tuple), tuple.Source.Address, Backend, 0, null, SettingsOf(1000), Start, ref held), Is.True);
        }

        Assert.That(table.Count(Ttl, Start), Is.EqualTo(10));
    }

    [Test]
    public void Who_has_looked_before_another_wrote_does_not_write()
    {
        StickyTable table = Table(100);
        var other = new BackendState(new PoolState("p"), "c");
        FourTuple tuple = Tuple(1, 1);
        StickyHold first = default;
        StickyHold second = default;
        StickySettings settings = SettingsOf(100);

        Assert.That(table.TryHold(table.HashOf(tuple), tuple.Source.Address, Backend, 0, seen: null, settings, Start, ref first), Is.True);
        Assert.That(table.TryHold(table.HashOf(tuple), tuple.Source.Address, other, 1, seen: null, settings, Start, ref second), Is.False);
        Assert.That(second, Is.EqualTo(default(StickyHold)));
        Assert.That(Find(table, 1, Start), Is.SameAs(Backend));
    }

    [Test]
    public void A_hold_on_an_entry_that_was_displaced_changes_no_other()
    {
        StickyTable table = Table(1);
        StickyHold old = Hold(table, 1, Start);
        StickyHold held = Hold(table, 2, Start);
        table.Release(ref old, Start);
        StickyHold third = Hold(table, 3, Start);
        Assert.That(Find(table, 3, Start), Is.SameAs(Backend));

        table.Confirm(held, Start);
        table.Release(ref held, Start);
        Assert.That(table.Count(Ttl, Start + Ttl + Ttl), Is.EqualTo(1), "the third lives");
        table.Release(ref third, Start);
        Assert.That(table.Count(Ttl, Start + Ttl), Is.Zero);
    }

    [TestCase(1)]
    [TestCase(64)]
    [TestCase(65)]
    [TestCase(3_000)]
    [TestCase(20_000)]
    public void The_table_agrees_with_a_naive_one(int entries)
    {
        // Keys of their own clients, and fewer than there is room for in each shard: nothing is displaced, so that only expiry and chains count.
        var random = new Random(entries);
        StickyTable table = Table(entries);
        int clients = Math.Max(1, entries / 2);
        var naive = new Dictionary<int, (int Living, Instant Since)>();
        var holds = new Dictionary<int, Stack<StickyHold>>();
        Instant now = Start;
        for (int step = 0; step < 40_000; step++)
        {
            now += TimeSpan.FromMilliseconds(random.Next(10));
            int client = random.Next(clients);
            (int Living, Instant Since)? known = naive.TryGetValue(client, out (int Living, Instant Since) entry)
                && (entry.Living > 0 || entry.Since + Ttl > now) ? entry : null;
            Assert.That(Find(table, client, now), known is null ? Is.Null : Is.SameAs(Backend), $"step {step}, client {client}");
            Stack<StickyHold> own = holds.TryGetValue(client, out Stack<StickyHold>? stack) ? stack : holds[client] = [];
            if (own.Count > 0 && random.Next(2) == 0)
            {
                StickyHold held = own.Pop();
                table.Release(ref held, now);
                naive[client] = (own.Count, now);
            }
            else
            {
                own.Push(Hold(table, client, now));
                naive[client] = (own.Count, now);
            }
        }

        Assert.That(table.Count(Ttl, now), Is.EqualTo(naive.Values.Count(e => e.Living > 0 || e.Since + Ttl > now)));
    }

    [Test]
    public void Many_threads_leave_nothing_behind()
    {
        StickyTable table = Table(10_000);
        Parallel.For(0, 8, worker =>
        {
            var random = new Random(worker);
            for (int i = 0; i < 20_000; i++)
            {
                int client = random.Next(20_000);
                FourTuple tuple = Tuple(client, 1);
                StickyHold held = default;
                BackendState? seen = table.Find(table.HashOf(tuple), Ttl, Start, out _);
                if (table.TryHold(table.HashOf(tuple), tuple.Source.Address, Backend, 0, seen, SettingsOf(10_000), Start, ref held))
                {
                    table.Confirm(held, Start);
                    table.Release(ref held, Start);
                }
            }
        });

        Assert.That(table.Count(Ttl, Start), Is.InRange(9_000, 10_000));
        Assert.That(table.Count(Ttl, Start + Ttl), Is.Zero);
    }

    [Test]
    public void An_entry_takes_less_than_the_documented_memory()
    {
        const int entries = 100_000;
        long before = GC.GetTotalMemory(forceFullCollection: true);
        StickyTable table = Table(entries);
        for (int i = 0; i < entries; i++)
        {
            Hold(table, i, Start);
        }

        long each = (GC.GetTotalMemory(forceFullCollection: true) - before) / table.Count(Ttl, Start);
        GC.KeepAlive(table);
        Assert.That(each, Is.LessThan(200));
    }

    [Test]
    public void Nothing_is_allocated_once_the_table_has_grown()
    {
        StickyTable table = Table(64);
        StickySettings settings = SettingsOf(64);
        long before = 0;
        for (int i = 0; i < 2000; i++)
        {
            before = i == 1000 ? GC.GetAllocatedBytesForCurrentThread() : before;
            FourTuple tuple = Tuple(i % 500, 1);
            StickyKeyHash hash = table.HashOf(tuple);
            StickyHold held = default;
            table.TryHold(hash, tuple.Source.Address, Backend, 0, table.Find(hash, Ttl, Start, out _), settings, Start, ref held);
            table.Confirm(held, Start);
            table.Release(ref held, Start);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    private static StickySettings SettingsOf(int entries) => new() { Ttl = Ttl, Entries = entries };

    private static StickyTable Table(int entries)
    {
        StickySettings settings = SettingsOf(entries);
        StickyTable table = StickyTable.For(settings, new HashKey(TupleFields.All), before: null, seed: 7)!;
        Limits.Add(table, settings);
        return table;
    }

    private static FourTuple Tuple(int client, ushort port) => new(new Endpoint(HostAddress.FromV4((uint)client), port), default);

    private static BackendState? Find(StickyTable table, int client, Instant now, ushort port = 1) =>
        table.Find(table.HashOf(Tuple(client, port)), Ttl, now, out _);

    private static StickyHold Hold(StickyTable table, int client, Instant now, ushort port = 1)
    {
        FourTuple tuple = Tuple(client, port);
        StickyKeyHash hash = table.HashOf(tuple);
        StickyHold held = default;
        StickySettings settings = Limits.GetValue(table, static _ => throw new InvalidOperationException("not made by Table"));
        Assert.That(
            table.TryHold(hash, tuple.Source.Address, Backend, 0, table.Find(hash, Ttl, now, out _), settings, now, ref held), Is.True);
        table.Confirm(held, now);
        return held;
    }
}
