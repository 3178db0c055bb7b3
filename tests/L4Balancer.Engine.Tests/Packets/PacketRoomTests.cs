using L4Balancer.Core.Balancing;
using L4Balancer.Engine.Packets;

namespace L4Balancer.Engine.Tests.Packets;

/// <summary>When the maps of an interface have to become larger: a reload may replace everything, while what was before is still in them.</summary>
internal sealed class PacketRoomTests
{
    [TestCase(100, true)]
    [TestCase(300, true)]
    [TestCase(900, false)]
    public void Maps_suffice_while_as_many_backends_again_have_room(int backends, bool suffice)
    {
        PacketLimits limits = PacketRoom.For([Listener(1, 200)], null);

        Assert.That(PacketRoom.Suffices(limits with { Table = new ChoiceTable(65537, 2048) }, [Listener(1, backends)]), Is.EqualTo(suffice));
    }

    [TestCase(40, true)]
    [TestCase(70, false)]
    public void Maps_suffice_while_as_many_addresses_again_have_room(int addresses, bool suffice)
    {
        PacketLimits limits = PacketRoom.For([Listener(40, 8)], null);

        Assert.That(PacketRoom.Suffices(limits, [Listener(addresses, 8)]), Is.EqualTo(suffice));
    }

    [Test]
    public void Maps_suffice_while_as_many_listeners_again_have_room([Values(8, 12)] int listeners)
    {
        PacketLimits limits = PacketRoom.For([Listener(1, 8)], null);
        PacketListener[] all = [.. Enumerable.Range(0, listeners).Select(i => Listener(1, 8) with { Flows = i == 0 ? 1_000 : 0 })];

        Assert.That(PacketRoom.Suffices(limits, all), Is.EqualTo(2 * listeners <= limits.Pools));
    }

    private static PacketListener Listener(int addresses, int backends) => new()
    {
        Name = "packets",
        Interface = "eth0",
        Binds = [.. Enumerable.Range(1, addresses).Select(i => Packets.At($"192.0.2.{i}:443"))],
        Flows = 1_000,
        Choice = new PacketChoice(
            FlatTable.Build([new RingMember(0, "10.0.0.1:443", 100)], static _ => true),
            [.. Enumerable.Range(0, backends).Select(i => new PacketTarget($"{i}", Packets.At("10.0.0.1:443").Address))]),
    };
}
