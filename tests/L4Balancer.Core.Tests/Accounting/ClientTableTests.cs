using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Accounting;

/// <summary>Limits by source, and that a flood from many sources costs a bounded amount of memory.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class ClientTableTests
{
    private static readonly Instant Start = new(TimeSpan.TicksPerDay);
    private static readonly HostAddress One = HostAddress.FromV4(0x0A00_0001);
    private static readonly HostAddress Two = HostAddress.FromV4(0x0A00_0002);

    private readonly ClientTable _table = new();

    [Test]
    public void Each_source_holds_its_own_number()
    {
        Assert.That(Enter(5, One, most: 3), Is.EqualTo(3));
        Assert.That(Enter(5, Two, most: 3), Is.EqualTo(3));
        _table.Leave(One);
        Assert.That(Enter(5, One, most: 3), Is.EqualTo(1));
    }

    [Test]
    public void Who_joins_is_counted_whatever_the_limit_and_leaves_as_often()
    {
        _table.Join(One);
        _table.Join(One);
        Assert.That(Enter(1, One, most: 2, rate: 2), Is.Zero);
        _table.Leave(One);
        _table.Leave(One);
        Assert.That(Enter(3, One, most: 2, rate: 2), Is.EqualTo(2), "none is owed, and no rate is used up");
    }

    [Test]
    public void A_v6_source_is_its_64()
    {
        var first = new HostAddress(0x2001_0DB8_0000_0001, 1);
        var neighbour = new HostAddress(0x2001_0DB8_0000_0001, 0xFFFF);
        var other = new HostAddress(0x2001_0DB8_0000_0002, 1);

        Assert.That(
            (Enter(1, first, most: 1), Enter(1, neighbour, most: 1), Enter(1, other, most: 1)), Is.EqualTo((1, 0, 1)));
    }

    [Test]
    public void The_rate_fills_up_with_time_and_holds_a_second_s_worth()
    {
        Assert.That(Enter(20, One, rate: 10), Is.EqualTo(10), "a burst");
        Assert.That(Enter(20, One, rate: 10, after: 0.5), Is.EqualTo(5));
        Assert.That(Enter(50, One, rate: 10, after: 60), Is.EqualTo(10), "no more than a second's worth, however long it was quiet");
        Assert.That(Enter(1, Two, rate: 10, after: 60), Is.EqualTo(1), "another source has its own");
    }

    [Test]
    public void Who_is_over_its_limit_uses_up_nothing()
    {
        Assert.That(Enter(1000, One, rate: 1), Is.EqualTo(1));
        Assert.That(Enter(1, One, rate: 1, after: 1), Is.EqualTo(1));
    }

    [Test]
    public void A_flood_from_many_sources_is_forgotten_but_not_who_holds_a_connection()
    {
        Enter(3, One, most: 3);
        for (uint i = 0; i < 300_000; i++)
        {
            HostAddress source = HostAddress.FromV4(0x0B00_0000 + i);
            _table.TryEnter(source, most: 3, rate: 10, Start);
            _table.Leave(source);
        }

        Assert.That(_table.Count, Is.InRange(20_000, 65_536 + 1));
        Assert.That(Enter(1, One, most: 3), Is.Zero);
    }

    [Test]
    public void Many_threads_count_exactly()
    {
        int entered = 0;
        Parallel.For(0, 8, _ =>
        {
            for (int i = 0; i < 20_000; i++)
            {
                if (_table.TryEnter(One, most: 5, rate: 0, Start))
                {
                    Interlocked.Increment(ref entered);
                    _table.Leave(One);
                }
            }
        });

        Assert.That(entered, Is.Positive);
        Assert.That(Enter(9, One, most: 5), Is.EqualTo(5), "nobody has stayed behind");
    }

    private int Enter(int tries, HostAddress source, int most = 0, int rate = 0, double after = 0) =>
        Enumerable.Range(0, tries).Count(_ => _table.TryEnter(source, most, rate, Start + TimeSpan.FromSeconds(after)));
}
