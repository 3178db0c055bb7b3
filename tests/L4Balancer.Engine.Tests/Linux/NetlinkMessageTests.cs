using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Tests.Linux;

internal sealed class NetlinkMessageTests
{
    [Test]
    public void Attributes_are_found_behind_the_body_of_a_message()
    {
        byte[] bytes = new NetlinkRequest(Libc.RTM_GETLINK, 0, new byte[16])
            .With(Libc.IFLA_ADDRESS, [1, 2, 3, 4, 5, 6])
            .With(Libc.IFLA_IFNAME, "eth0")
            .With(Libc.IFLA_LINKINFO, NetlinkRequest.Nested(n => n.With(Libc.IFLA_INFO_KIND, "veth")))
            .ToBytes(7);
        ReadOnlySpan<byte> rest = bytes;
        Assert.That(NetlinkMessage.TryTake(ref rest, out NetlinkMessage message));
        Assert.That(rest.Length, Is.Zero);
        Assert.That(message.Type, Is.EqualTo(Libc.RTM_GETLINK));
        Assert.That(message.Sequence, Is.EqualTo(7));
        ReadOnlySpan<byte> attributes = message.Body[16..];
        Assert.That(NetlinkMessage.Find(attributes, Libc.IFLA_IFNAME).ToArray(), Is.EqualTo("eth0\0"u8.ToArray()));
        ReadOnlySpan<byte> info = NetlinkMessage.Find(attributes, Libc.IFLA_LINKINFO);
        Assert.That(NetlinkMessage.Find(info, Libc.IFLA_INFO_KIND).ToArray(), Is.EqualTo("veth\0"u8.ToArray()));
        Assert.That(NetlinkMessage.Find(attributes, Libc.IFLA_XDP).Length, Is.Zero);
    }

    [Test]
    public void Bytes_that_are_cut_off_or_random_are_no_message_and_no_attribute()
    {
        var random = new Random(3);
        byte[] whole = new NetlinkRequest(Libc.RTM_GETLINK, 0, new byte[16]).With(Libc.IFLA_IFNAME, "eth0").ToBytes(1);
        ReadOnlySpan<byte> cut = whole.AsSpan(0, whole.Length - 1);
        Assert.That(NetlinkMessage.TryTake(ref cut, out _), Is.False);
        for (int i = 0; i < 10_000; i++)
        {
            byte[] bytes = new byte[random.Next(64)];
            random.NextBytes(bytes);
            ReadOnlySpan<byte> rest = bytes;
            while (NetlinkMessage.TryTake(ref rest, out NetlinkMessage message))
            {
                Assert.That(message.Body.Length, Is.LessThanOrEqualTo(bytes.Length));
            }

            Assert.That(NetlinkMessage.Find(bytes, (ushort)random.Next(4)).Length, Is.LessThan(64));
        }
    }
}
