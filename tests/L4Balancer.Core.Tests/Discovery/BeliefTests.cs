using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Discovery;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Discovery;

/// <summary>Which readings of a source are believed, and when.</summary>
internal sealed class BeliefTests
{
    private const int Most = 10;

    private static readonly TimeSpan Hold = TimeSpan.FromSeconds(30);
    private static readonly SourceReading Unknown = new SourceReading.Unknown("refused");

    [Test]
    public void The_first_set_is_believed_at_once() => Assert.That(Addresses(Belief.Nothing.After(Of(3), At(0), Hold, Most)), Is.EqualTo("1 2 3"));

    [Test]
    public void Unknown_changes_nothing_however_long_it_lasts()
    {
        Belief belief = Belief.Nothing.After(Of(3), At(0), Hold, Most);
        for (int i = 1; i <= 1000; i++)
        {
            belief = belief.After(Unknown, At(i * 1000), Hold, Most);
        }

        Assert.That(Addresses(belief), Is.EqualTo("1 2 3"));
        Assert.That((belief.Fault, belief.Faults, belief.ReadAt), Is.EqualTo(("refused", 1000L, (Instant?)At(0))));
        Assert.That(belief.After(Of(2), At(2_000_000), Hold, Most).Fault, Is.Empty);
    }

    [Test]
    public void What_an_earlier_process_believed_stays_until_the_source_has_answered_and_the_rule_applies_to_its_first_set()
    {
        Belief belief = Belief.Of([Backend(3), Backend(1), Backend(2)]);
        Assert.That(Addresses(belief), Is.EqualTo("1 2 3"));
        Assert.That(belief.ReadAt, Is.Null);
        Assert.That(Addresses(belief.After(Unknown, At(1), Hold, Most)), Is.EqualTo("1 2 3"));
        Assert.That(belief.After(Of(1), At(1), Hold, Most) is { Count: 3, Held.Set.Length: 1 });
        Assert.That(Addresses(belief.After(Of(2), At(1), Hold, Most)), Is.EqualTo("1 2"));
        Assert.That(Belief.Of([Backend(1), Backend(2) with { Weight = -1 }]), Is.EqualTo(Belief.Nothing));
    }

    [Test]
    public void A_set_that_is_larger_than_the_pool_or_has_a_backend_that_cannot_be_used_is_unknown()
    {
        Belief belief = Belief.Nothing.After(Of(3), At(0), Hold, Most);

        Assert.That(belief.After(Of(11), At(1), Hold, Most) is { Count: 3, Fault: "11 backends, and at most 10 fit in the pool" });
        Assert.That(WhyNot(b => b with { Weight = 1001 }), Is.EqualTo("backend 10.0.0.1:80: the weight 1001 is not one of 0 to 1000"));
        Assert.That(WhyNot(b => b with { Address = b.Address with { Port = 0 } }), Is.EqualTo("backend 10.0.0.1:0: cannot be connected to"));
        Assert.That(WhyNot(b => b with { Address = b.Address with { Address = HostAddress.Any6 } }), Is.EqualTo("backend [::]:80: cannot be connected to"));
        Assert.That(WhyNot(b => b with { MaxConnections = -1 }), Is.EqualTo("backend 10.0.0.1:80: max_connections is negative"));
        Assert.That(WhyNot(b => b with { PublicUrl = "here" }), Does.StartWith("backend 10.0.0.1:80: the public_url is not an absolute URL"));

        string WhyNot(Func<DiscoveredBackend, DiscoveredBackend> spoil)
        {
            Belief after = belief.After(new SourceReading.Complete([Backend(2), spoil(Backend(1))], ""), At(1), Hold, Most);
            Assert.That(Addresses(after), Is.EqualTo("1 2 3"));
            return after.Fault;
        }
    }

    [Test]
    public void The_set_is_the_same_whatever_the_order_and_has_each_address_once()
    {
        Belief belief = Belief.Nothing.After(
            new SourceReading.Complete([Backend(3), Backend(1) with { Name = "b" }, Backend(2) with { Name = "with space" }, Backend(1) with { Name = "a" }], "7"),
            At(0), Hold, Most);

        Assert.That(belief.Set!.Value.Select(b => (b.Address.ToString(), b.Name)), Is.EqualTo(new[]
        {
            ("10.0.0.1:80", "a"), ("10.0.0.2:80", ""), ("10.0.0.3:80", ""),
        }));
        Belief again = belief.After(new SourceReading.Complete([Backend(1) with { Name = "a" }, Backend(2), Backend(3)], "8"), At(1), Hold, Most);
        Assert.That(again.Set!.Value == belief.Set.Value, "the same array: nothing has changed");
        Assert.That(again.Version, Is.EqualTo("8"));
    }

    [Test]
    public void A_set_that_takes_the_name_of_a_backend_in_use_is_unknown()
    {
        Belief belief = Of(Backend(2) with { Name = "a" }, Backend(3) with { Name = "b" });
        Belief doubled = After(Backend(1) with { Name = "a" }, Backend(2) with { Name = "a" }, Backend(3) with { Name = "b" });
        Assert.That((Addresses(doubled), doubled.Fault), Is.EqualTo(("2 3", "10.0.0.1:80 has the name a of 10.0.0.2:80, which is in use")));

        // A higher address does not take it, a name may move to another backend, and at the first reading nothing is in use.
        Assert.That(Addresses(After(Backend(2) with { Name = "a" }, Backend(3) with { Name = "b" }, Backend(4) with { Name = "a" })), Is.EqualTo("2 3 4"));
        Assert.That(Addresses(After(Backend(1) with { Name = "a" }, Backend(3) with { Name = "b" })), Is.EqualTo("1 3"));
        Assert.That(Addresses(After(Backend(2) with { Name = "b" }, Backend(3) with { Name = "a" })), Is.EqualTo("2 3"));
        Assert.That(Addresses(Of(Backend(1) with { Name = "a" }, Backend(2) with { Name = "a" })), Is.EqualTo("1 2"));

        Belief After(params DiscoveredBackend[] set) => belief.After(new SourceReading.Complete([.. set], ""), At(1), Hold, Most);
        Belief Of(params DiscoveredBackend[] set) => Belief.Nothing.After(new SourceReading.Complete([.. set], ""), At(0), Hold, Most);
    }

    [Test]
    public void What_a_pool_had_before_its_source_is_held_to_the_rule()
    {
        Belief before = Belief.Of([Backend(2), Backend(1), Backend(4), Backend(3)]);
        Assert.That((Addresses(before), before.ReadAt), Is.EqualTo(("1 2 3 4", (Instant?)null)));
        Assert.That(Addresses(before.After(Unknown, At(0), Hold, Most)), Is.EqualTo("1 2 3 4"));
        Assert.That(Addresses(before.After(Of(1), At(0), Hold, Most)), Is.EqualTo("1 2 3 4"), "less than half");
        Assert.That(Addresses(before.After(Of(2), At(0), Hold, Most)), Is.EqualTo("1 2"));
        Assert.That(Belief.Of([Backend(1) with { Weight = -1 }]), Is.EqualTo(Belief.Nothing));
    }

    [Test]
    public void An_address_that_is_a_primary_and_a_backup_is_a_primary()
    {
        DiscoveredBackend[] both = [Backend(1) with { Backup = true, Weight = 1000 }, Backend(1) with { Weight = 5 }, Backend(1) with { Weight = 7 }];

        Assert.That(Belief.Nothing.After(new SourceReading.Complete([.. both], ""), At(0), Hold, Most).Set, Is.EqualTo([both[2]]));
    }

    [TestCase(0)]
    [TestCase(1)]
    public void An_empty_set_or_one_of_less_than_half_is_believed_after_the_hold_and_a_second_reading(int count)
    {
        Belief belief = Belief.Nothing.After(Of(4), At(0), Hold, Most).After(Of(count), At(1), Hold, Most);
        Assert.That((belief.Count, belief.Held?.Set.Length), Is.EqualTo((4, (int?)count)));

        belief = belief.After(Of(count), At(30), Hold, Most).After(Unknown, At(40), Hold, Most);
        Assert.That(belief.Count, Is.EqualTo(4), "the hold is not over, and then there was no reading");

        belief = belief.After(Of(count), At(41), Hold, Most);
        Assert.That((belief.Count, belief.Held), Is.EqualTo((count, (HeldSet?)null)));
    }

    [Test]
    public void Half_is_believed_at_once() =>
        Assert.That(Belief.Nothing.After(Of(4), At(0), Hold, Most).After(Of(2), At(1), Hold, Most).Count, Is.EqualTo(2));

    [Test]
    public void An_empty_set_is_held_at_the_start_too()
    {
        Belief belief = Belief.Nothing.After(Of(0), At(0), Hold, Most);
        Assert.That((belief.Set, belief.Held is not null), Is.EqualTo(((ImmutableArray<DiscoveredBackend>?)null, true)));
        Assert.That(belief.After(Of(1), At(1), Hold, Most).Count, Is.EqualTo(1), "one that is not empty is believed at once");
        Assert.That(belief.After(Of(0), At(30), Hold, Most).Set, Is.Empty.And.Not.Null);
    }

    [Test]
    public void While_a_set_is_held_no_smaller_set_is_believed_at_once_and_one_of_full_size_is()
    {
        Belief held = Belief.Nothing.After(Of(8), At(0), Hold, Most).After(Of(3), At(1), Hold, Most);
        Belief steps = held.After(Of(7), At(2), Hold, Most).After(Of(6), At(3), Hold, Most).After(Of(4), At(4), Hold, Most);

        Assert.That((steps.Count, steps.Held?.Since), Is.EqualTo((8, (Instant?)At(1))));
        Assert.That(held.After(Of(8), At(5), Hold, Most) is { Count: 8, Held: null });
        Assert.That(held.After(Of(9), At(5), Hold, Most) is { Count: 9, Held: null });
        Assert.That(steps.After(Of(5), At(31), Hold, Most) is { Count: 5, Held: null });
    }

    [Test]
    public void A_held_set_that_shrinks_by_more_than_half_is_held_anew()
    {
        Belief belief = Belief.Nothing.After(Of(9), At(0), Hold, Most).After(Of(4), At(1), Hold, Most).After(Of(0), At(29), Hold, Most);

        Assert.That(belief.After(Of(0), At(31), Hold, Most).Count, Is.EqualTo(9));
        Assert.That(belief.After(Of(0), At(59), Hold, Most) is { Count: 0, Held: null });
    }

    [Test]
    public void Another_source_begins_with_the_set_of_the_one_before()
    {
        Belief belief = Belief.Nothing.After(Of(4), At(0), Hold, Most).After(Of(0), At(1), Hold, Most).OfOtherSource();

        Assert.That((belief.Count, belief.Held, belief.ReadAt), Is.EqualTo((4, (HeldSet?)null, (Instant?)null)));
        Assert.That(belief.After(Unknown, At(2), Hold, Most).Count, Is.EqualTo(4));
        Assert.That(belief.After(Of(0), At(2), Hold, Most).Count, Is.EqualTo(4), "a wrong prefix in the file is no reason to believe that nothing is there");
    }

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    public void Readings_at_random_are_believed_as_a_naive_oracle_says(int seed)
    {
        var random = new Random(seed);
        for (int round = 0; round < 300; round++)
        {
            Belief belief = Belief.Nothing;
            List<(SourceReading Reading, int Second)> history = [];
            for (int second = 0, i = 0; i < 60; i++)
            {
                second += random.Next(20);
                SourceReading reading = random.Next(4) == 0 ? Unknown : Of(random.Next(Most + 2));
                history.Add((reading, second));
                belief = belief.After(reading, At(second), Hold, Most);

                string expected = Oracle(history);
                Assert.That(belief.Set is null ? "nothing" : Addresses(belief), Is.EqualTo(expected), $"seed {seed}, round {round}, reading {i}");
            }
        }
    }

    // Goes through all readings anew, with the text of the rule in mind and no state but the sets.
    private static string Oracle(List<(SourceReading Reading, int Second)> history)
    {
        int? inUse = null;
        List<(int Count, int Second)> doubtful = [];
        foreach ((SourceReading reading, int second) in history)
        {
            if (reading is not SourceReading.Complete { Backends.Length: <= Most } complete)
            {
                continue;
            }

            int count = complete.Backends.Length;
            bool alarming = inUse is null ? count == 0 : inUse > 0 && (count == 0 || count < inUse / 2.0);
            bool smaller = doubtful.Count > 0 && count < (inUse ?? 0);
            if (!alarming && !smaller)
            {
                inUse = count;
                doubtful.Clear();
                continue;
            }

            if (doubtful.Count > 0 && count < doubtful[^1].Count / 2.0)
            {
                doubtful.Clear();
            }

            doubtful.Add((count, second));
            if (doubtful.Count > 1 && second - doubtful[0].Second >= 30)
            {
                inUse = count;
                doubtful.Clear();
            }
        }

        return inUse is null ? "nothing" : string.Join(' ', Enumerable.Range(1, inUse.Value));
    }

    private static Instant At(int seconds) => new(TimeSpan.FromSeconds(seconds).Ticks);

    private static SourceReading.Complete Of(int count) => new SourceReading.Complete([.. Enumerable.Range(1, count).Select(Backend)], "v");

    private static DiscoveredBackend Backend(int number) => new(new Endpoint(HostAddress.FromV4(0x0A00_0000u + (uint)number), 80));

    private static string Addresses(Belief belief) => string.Join(' ', (belief.Set ?? []).Select(b => b.Address.Address.V4 & 0xFF));
}
