using System.Runtime.Versioning;
using L4Balancer.Core.Balancing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Packets;

namespace L4Balancer.Engine.Tests.Packets;

/// <summary>Which table is the one before the last change.</summary>
[TestFixture]
[SupportedOSPlatform("linux")]
internal sealed class PreviousTablesTests
{
    private const int Pool = 2;

    private readonly SteppedClock _clock = new();
    private readonly List<PacketMaps> _opened = [];
    private PacketMaps _maps = null!;
    private PreviousTables _tables = null!;

    [SetUp]
    public void Make()
    {
        _maps = Open(new ChoiceTable(4099, 64));
        _tables = new PreviousTables(_clock) { Maps = _maps };
    }

    [TearDown]
    public void Close()
    {
        _opened.ForEach(m => m.Dispose());
        _opened.Clear();
        _maps.Dispose();
    }

    [Test]
    public void First_table_has_none_before_it_and_the_same_again_changes_nothing()
    {
        Replace(1, 1);
        Assert.That(Previous(), Is.Null);
        Replace(2);
        Pass(60);
        Replace(2);
        Assert.That(Previous(), Is.EqualTo(Table(1)));
    }

    [Test]
    public void Change_makes_the_table_in_force_the_previous_one_and_those_soon_after_it_count_as_one_with_it()
    {
        Replace(1, 2);
        Pass(9);
        Replace(3);
        Assert.That(Previous(), Is.EqualTo(Table(1)), "a change that comes soon after");
        Pass(1);
        Replace(4);
        Assert.That(Previous(), Is.EqualTo(Table(3)), "a change that comes later");
    }

    [Test]
    public void Change_that_is_taken_back_exchanges_the_two()
    {
        Replace(1, 2);
        Pass(1);
        Replace(1);
        Assert.That(Previous(), Is.EqualTo(Table(2)));
    }

    [Test]
    public void Steps_of_slow_start_are_one_change()
    {
        Replace(1);
        foreach (ulong share in new[] { 1UL << 60, 1UL << 61, 1UL << 62 })
        {
            Replace(Table(2, share));
            Pass(30);
        }

        Replace(2);
        Assert.That(Previous(), Is.EqualTo(Table(1)));
        Pass(30);
        Replace(3);
        Assert.That(Previous(), Is.EqualTo(Table(2)));
    }

    [Test]
    public void Larger_maps_go_on_with_both()
    {
        Replace(1, 2);
        PacketMaps larger = Open(new ChoiceTable(8209, 128));
        _opened.Add(larger);
        PreviousTables.Copy(_maps, larger);

        Assert.That(Read(larger, larger.Limits.Pools + Pool), Is.EqualTo(Table(1, layout: larger.Limits.Table)));
        Assert.That(Read(larger, Pool), Is.EqualTo(Table(2, layout: larger.Limits.Table)));
    }

    [Test]
    public void Number_that_another_listener_gets_has_no_table_before()
    {
        Replace(1, 2);
        _tables.Forget(Pool);
        Replace(3);
        Assert.That(Previous(), Is.Null);
        Replace(4);
        Assert.That(Previous(), Is.EqualTo(Table(3)));
    }

    private static PacketMaps Open(ChoiceTable table)
    {
        PacketMaps? maps = PacketMaps.TryCreate(new PacketLimits(16, 4, 64, 0, table) { SecondChance = true }, out Errno fault);
        if (fault is Errno.EPERM or Errno.ENOSYS)
        {
            Assert.Ignore($"bpf(2): {fault}: needs CAP_BPF and CAP_NET_ADMIN");
        }

        Assert.That(fault, Is.EqualTo(Errno.None));
        return maps!;
    }

    private static byte[]? Read(PacketMaps maps, int slot)
    {
        byte[] table = new byte[maps.Limits.Table.Length];
        Assert.That(maps.ReadKept(slot, table), Is.EqualTo(Errno.None));
        return table.AsSpan().ContainsAnyExcept((byte)0) ? table : null;
    }

    // A table for each number of available members.
    private byte[] Table(int available, ulong ramp = 0, ChoiceTable? layout = null)
    {
        FlatTable flat = FlatTable.Build([.. Enumerable.Range(0, 5).Select(i => new RingMember(i, $"10.0.0.{i}:443", 100))], i => i < available);
        return (layout ?? _maps.Limits.Table).Write(
            flat.Owners[..4000], [.. flat.Available], [7, 8, 9, 10, 11], ramp == 0 ? [] : [ramp, ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, ulong.MaxValue]);
    }

    private void Replace(params int[] available)
    {
        foreach (int count in available)
        {
            Replace(Table(count));
        }
    }

    private void Replace(byte[] table) => Assert.That(_tables.Replace(Pool, table), Is.EqualTo(Errno.None));

    private byte[]? Previous() => Read(_maps, _maps.Limits.Pools + Pool);

    private void Pass(int seconds) => _clock.Seconds += seconds;

    private sealed class SteppedClock : TimeProvider
    {
        public long Seconds { get; set; }

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => Seconds;
    }
}
