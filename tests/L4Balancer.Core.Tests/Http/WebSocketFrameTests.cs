using System.Text;
using L4Balancer.Core.Http;

namespace L4Balancer.Core.Tests.Http;

/// <summary>Frames as RFC 6455 gives them as examples (5.7), and those that it forbids a server.</summary>
internal sealed class WebSocketFrameTests
{
    [TestCase("8105", (byte)1, 2, 5L)]
    [TestCase("0103", (byte)1, 2, 3L)]
    [TestCase("8002", (byte)0, 2, 2L)]
    [TestCase("8A05", WebSocketFrame.Pong, 2, 5L)]
    [TestCase("8800", WebSocketFrame.Close, 2, 0L)]
    [TestCase("827E0100", (byte)2, 4, 256L)]
    [TestCase("827F0000000000010000", (byte)2, 10, 65_536L)]
    public void A_header_is_read(string hex, byte opcode, int header, long payload)
    {
        byte[] bytes = Convert.FromHexString(hex);
        Assert.That(WebSocketFrame.TryParse(bytes, out WebSocketFrame frame), Is.EqualTo(ParseResult.Parsed));
        Assert.That(frame, Is.EqualTo(new WebSocketFrame(opcode, header, payload)));
        for (int i = 0; i < bytes.Length; i++)
        {
            Assert.That(WebSocketFrame.TryParse(bytes.AsSpan(0, i), out _), Is.EqualTo(ParseResult.NeedMore));
        }
    }

    [TestCase("8185", Description = "under a mask")]
    [TestCase("C105", Description = "a reserved bit")]
    [TestCase("8305", Description = "an opcode that means nothing")]
    [TestCase("8B05", Description = "an opcode that means nothing")]
    [TestCase("0A05", Description = "a control frame in pieces")]
    [TestCase("8A7E0080", Description = "a control frame that is too long")]
    [TestCase("827F8000000000000000", Description = "a length with its highest bit set")]
    public void What_a_server_may_not_send_is_invalid(string hex) =>
        Assert.That(WebSocketFrame.TryParse(Convert.FromHexString(hex), out _), Is.EqualTo(ParseResult.Invalid));

    [Test]
    public void A_ping_is_written_under_its_mask()
    {
        var bytes = new byte[32];
        int length = WebSocketFrame.WriteControl(bytes, WebSocketFrame.Ping, Encoding.ASCII.GetBytes("Hello"), 0x37FA213D);

        // RFC 6455, 5.7 shows this very payload and mask with a text frame.
        Assert.That(Convert.ToHexString(bytes.AsSpan(0, length)), Is.EqualTo("898537FA213D7F9F4D5158"));
    }
}
