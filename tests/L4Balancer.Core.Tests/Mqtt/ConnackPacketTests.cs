using L4Balancer.Core.Http;
using L4Balancer.Core.Mqtt;

namespace L4Balancer.Core.Tests.Mqtt;

/// <summary>The answer to CONNECT, by MQTT 3.1.1, 3.2.</summary>
internal sealed class ConnackPacketTests
{
    [TestCase("20020000", ConnackCode.Accepted)]
    [TestCase("20020003", ConnackCode.ServerUnavailable)]
    [TestCase("20020005", ConnackCode.NotAuthorized)]
    [TestCase("20020000300A", ConnackCode.Accepted)]
    public void A_whole_packet_has_a_code(string hex, ConnackCode code)
    {
        Assert.That(ConnackPacket.TryParse(Convert.FromHexString(hex), out ConnackPacket packet), Is.EqualTo(ParseResult.Parsed));
        Assert.That(packet.Code, Is.EqualTo(code));
    }

    [TestCase("")]
    [TestCase("20")]
    [TestCase("2002")]
    [TestCase("200200")]
    public void The_beginning_of_one_needs_more(string hex) =>
        Assert.That(ConnackPacket.TryParse(Convert.FromHexString(hex), out _), Is.EqualTo(ParseResult.NeedMore));

    [TestCase("48", Description = "an HTTP answer")]
    [TestCase("21", Description = "reserved bits of the fixed header")]
    [TestCase("2003", Description = "MQTT 5: properties follow")]
    [TestCase("2082", Description = "a longer form of the length")]
    [TestCase("200201", Description = "a session after a clean one")]
    [TestCase("200280", Description = "reserved flags")]
    [TestCase("20020006", Description = "a reserved code")]
    [TestCase("200200FF", Description = "a reserved code")]
    public void Any_other_byte_is_invalid_at_once(string hex) =>
        Assert.That(ConnackPacket.TryParse(Convert.FromHexString(hex), out _), Is.EqualTo(ParseResult.Invalid));

    [Test]
    public void The_CONNECT_is_the_one_of_the_standard() =>
        Assert.That(Convert.ToHexString(ConnectPacket.Probe.Span), Is.EqualTo("100C00044D515454" + "04" + "02" + "000A" + "0000"));
}
