using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Ports;

/// <summary>The count of one source and destination, and where its next connect looks for a port, on a clock that the test moves.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class PortUseTests
{
    private static readonly Instant Start = new(TimeSpan.TicksPerDay);

    private readonly PortSupply _supply = new() { Range = PortRange.Parse("10000 10999", "") };

    [Test]
    public void Port_left_in_time_wait_is_in_use_for_a_minute()
    {
        PortUse use = Use();
        use.Take();
        use.Connected(10_000, Start);
        Assert.That((use.Held, use.InUse(Start)), Is.EqualTo((1, 1)));

        use.Return(10_000, waits: true, Start);

        using (Assert.EnterMultipleScope())
        {
            Assert.That((use.Held, use.InUse(After(59))), Is.EqualTo((0, 1)));
            Assert.That(use.InUse(After(60)), Is.Zero);
            Assert.That(use.InUse(After(3600)), Is.Zero);
        }
    }

    [Test]
    public void Port_that_was_reset_is_free_at_once()
    {
        PortUse use = Use();
        use.Take();
        use.Return(10_000, waits: false, Start);

        Assert.That(use.InUse(Start), Is.Zero);
    }

    /// <param name="pauses">Seconds from one port to the next; most are short, so that many fall into one second.</param>
    [FsCheck.NUnit.Property(MaxTest = 300, EndSize = 400)]
    public bool Count_of_time_wait_agrees_with_a_naive_one_over_any_times(byte[] pauses)
    {
        PortUse use = Use();
        var left = new List<long>();
        long second = TimeSpan.TicksPerDay / TimeSpan.TicksPerSecond;
        return pauses.All(pause =>
        {
            second += pause < 150 ? 0 : pause < 240 ? 1 : pause - 200;
            var now = new Instant(second * TimeSpan.TicksPerSecond);
            use.Take();
            use.Return(0, waits: true, now);
            left.Add(second);
            return use.InUse(now) == left.Count(s => s > second - 60);
        });
    }

    [Test]
    public void Port_that_serves_again_out_of_time_wait_is_counted_once()
    {
        PortUse use = Use();
        Fill(use, 100);
        for (int i = 0; i < 100; i++)
        {
            use.Return((ushort)(10_000 + i), waits: true, Start);
        }

        use.Take();
        use.Connected(10_099, After(2));

        Assert.That((use.Held, use.InUse(After(2))), Is.EqualTo((1, 100)));
    }

    [Test]
    public void Few_ports_in_use_leave_the_choice_to_the_kernel()
    {
        PortUse use = Use();
        Fill(use, 249);
        Assert.That(use.Window(Start), Is.Null);

        Fill(use, 1, from: 249);
        Assert.That(use.Window(Start), Is.Not.Null);
    }

    [Test]
    public void Windows_hold_a_free_port_as_long_as_there_is_one()
    {
        PortUse use = Use();
        Fill(use, 999, from: 1);

        for (int i = 0; i < 100; i++)
        {
            PortWindow window = use.Window(Start)!.Value;
            Assert.That(window.First, Is.EqualTo(10_000));
            Assert.That(window.Last - window.First, Is.LessThan(64), "and it is a short one");
        }
    }

    [Test]
    public void Windows_spread_over_what_is_free()
    {
        PortUse use = Use();
        Fill(use, 300);

        Assert.That(Enumerable.Range(0, 200).Select(_ => use.Window(Start)!.Value.First).Distinct().Count(), Is.GreaterThan(100));
    }

    [Test]
    public void Window_that_the_kernel_found_full_is_not_offered_again_before_the_next_sweep()
    {
        PortUse use = Use();
        Fill(use, 990, from: 10);
        PortWindow full = use.Window(Start)!.Value;
        Assert.That(full.First, Is.EqualTo(10_000));
        use.Return(10_500, waits: false, Start);

        use.NoteTaken(full);
        for (int i = 0; i < 20; i++)
        {
            Assert.That(Holds(use.Window(Start)!.Value, 10_500), Is.True);
        }

        use.Sweep(Start);
        Assert.That(Enumerable.Range(0, 50).Any(_ => !Holds(use.Window(Start)!.Value, 10_500)), Is.True, "others may have gone");
    }

    [Test]
    public void Reserved_ports_are_no_free_ones()
    {
        _supply.Range = PortRange.Parse("10000 10999", "10000-10299");
        PortUse use = Use();
        Fill(use, 699, from: 300);

        Assert.That(Holds(use.Window(Start)!.Value, 10_999), Is.True);
    }

    [Test]
    public void Kernel_without_the_option_is_given_no_windows()
    {
        PortUse use = Use();
        Fill(use, 500);
        _supply.LacksWindows();

        Assert.That(use.Window(Start), Is.Null);
    }

    [Test]
    public void Ports_stay_known_when_the_range_changes()
    {
        PortUse use = Use();
        Fill(use, 999, from: 0);
        _supply.Range = PortRange.Parse("10500 11499", "");
        use.Sweep(Start);

        for (int i = 0; i < 50; i++)
        {
            Assert.That(use.Window(Start)!.Value.Last, Is.GreaterThanOrEqualTo(10_999), "all but one below 10999 are held");
        }
    }

    [Test]
    public void Refusal_of_the_kernel_holds_for_a_moment_or_until_a_port_of_ours_is_free()
    {
        PortUse use = Use();
        use.Take();
        use.NoteRefused(Start);
        Assert.That(use.IsRefused(Start), Is.True);
        Assert.That(use.IsRefused(Start + TimeSpan.FromMilliseconds(100)), Is.False);

        use.Return(10_000, waits: true, Start);
        Assert.That(use.IsRefused(Start), Is.True, "a port in TIME_WAIT helps nobody");

        use.Take();
        use.Return(10_000, waits: false, Start);
        Assert.That(use.IsRefused(Start), Is.False);
    }

    [Test]
    public void Port_cannot_be_returned_twice()
    {
        PortLease lease = PortLease.Take(Use());
        lease.Return(10_000, waits: false, Start);

        Assert.That(() => lease.Return(10_000, waits: false, Start), Throws.Exception);
    }

    [Test]
    public void Counts_of_many_threads_add_up()
    {
        PortUse use = Use();
        Parallel.For(0, 20_000, i =>
        {
            var now = new Instant(Start.Ticks + ((i % 30) * TimeSpan.TicksPerSecond));
            use.Take();
            use.Connected((ushort)(10_000 + (i % 1000)), now);
            use.Return((ushort)(10_000 + (i % 1000)), waits: false, now);
        });

        Assert.That((use.Held, use.InUse(After(29))), Is.EqualTo((0, 0)));
    }

    private static Instant After(int seconds) => Start + TimeSpan.FromSeconds(seconds);

    private static bool Holds(PortWindow window, int port) => window.First <= port && port <= window.Last;

    private static void Fill(PortUse use, int count, int from = 0)
    {
        // The first of them are not known yet by their numbers; the test would have to know from when on, so they come again.
        for (int i = 0; i < count; i++)
        {
            use.Take();
        }

        for (int i = 0; i < count; i++)
        {
            use.Connected((ushort)(10_000 + from + i), Start);
        }
    }

    private PortUse Use() => new(new LocalAddressState(null), new Endpoint(HostAddress.FromV4(0x0A000001), 443), _supply);
}
