using System.Text;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Engine.Probing;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>Probes that send bytes and look for an answer: <c>send</c> and <c>expect</c>.</summary>
public sealed class ExpectProbeTests : ExchangeFixture
{
    [TestCase("+PONG\r\n", "")]
    [TestCase("-LOADING Redis is loading\r\n+PONG\r\n", "")]
    [TestCase("-NOAUTH\r\n", "the answer lacks what is expected")]
    [TestCase("+PON", "the answer lacks what is expected")]
    [TestCase("", "closed without an answer")]
    public async Task The_answer_must_contain_what_is_expected(string answer, string fault)
    {
        await using var backend = new TalkingBackend(async stream =>
        {
            Assert.That(await ReadAsync(stream, 6), Is.EqualTo("PING\r\n"));
            await stream.WriteAsync(Encoding.ASCII.GetBytes(answer));
        });

        (ProbeOutcome, string) result = Probe(backend, Of(HealthType.Tcp) with { Send = "PING\r\n", Expect = "+PONG" });

        Assert.That(result, Is.EqualTo(fault.Length == 0 ? Success : Unfit(fault)));
    }

    [Test]
    public async Task A_server_that_speaks_first_needs_no_send_and_sees_an_orderly_end()
    {
        await using var backend = new TalkingBackend(async stream =>
        {
            await stream.WriteAsync("220 mail.example.com ready\r\n"u8.ToArray());
            Assert.That(await stream.ReadAsync(new byte[1]), Is.Zero, "FIN");
        });

        Assert.That(Probe(backend, Of(HealthType.Tcp) with { Expect = "220 " }), Is.EqualTo(Success));
        Assert.That(backend.NextEnd(), Is.Null);
    }

    [Test]
    public async Task Send_alone_is_good_once_it_is_written()
    {
        await using var backend = new TalkingBackend(async stream => Assert.That(await ReadAsync(stream, 3), Is.EqualTo("ä\n")));

        Assert.That(Probe(backend, Of(HealthType.Tcp) with { Send = "ä\n" }), Is.EqualTo(Success));
        Assert.That(backend.NextEnd(), Is.Null);
    }

    [TestCase("+PONG", null)]
    [TestCase("+PANG", "the answer lacks what is expected")]
    public async Task What_is_expected_may_come_in_single_bytes(string end, string? fault)
    {
        using var answer = new ByteByByte(Encoding.ASCII.GetBytes($"{new string('+', 1000)}{end}"));

        string? found = await new ExpectTalk(answer, new byte[ExpectTalk.LongestAnswer]).RunAsync(default, "+PONG"u8.ToArray());

        Assert.That(found, Is.EqualTo(fault));
        Assert.That(answer.Position, Is.EqualTo(answer.Length), "each byte was a read of its own");
    }

    [TestCase(4091, "")]
    [TestCase(4092, "the first 4 KiB of the answer lack what is expected")]
    public async Task Only_the_first_4_KiB_are_read(int before, string fault)
    {
        await using var backend = new TalkingBackend(async stream =>
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"{new string('x', before)}+PONG{new string('x', 100_000)}")));

        Assert.That(Probe(backend, Of(HealthType.Tcp) with { Expect = "+PONG" }), Is.EqualTo(fault.Length == 0 ? Success : Unfit(fault)));
    }

    [Test]
    public async Task An_answer_that_drips_is_too_late()
    {
        await using var backend = new TalkingBackend(async stream =>
        {
            while (true)
            {
                await stream.WriteAsync(new byte[1]);

                // The pace of the drip.
                await Task.Delay(20);
            }
        });

        Assert.That(
            Probe(backend, Of(HealthType.Tcp) with { Expect = "+PONG", Timeout = Short }),
            Is.EqualTo(Unfit("no answer with what is expected within 200ms")));
    }

    [Test]
    public async Task Over_TLS_it_is_the_same()
    {
        using var certificate = Certificates.For("chat.example.com");
        await using var backend = new TalkingBackend(
            async stream =>
            {
                Assert.That(await ReadAsync(stream, 4), Is.EqualTo("PING"));
                await stream.WriteAsync("+PONG"u8.ToArray());
                Assert.That(await stream.ReadAsync(new byte[1]), Is.Zero, "close_notify");
            },
            certificate);

        Assert.That(Probe(backend, Of(HealthType.Tls) with { Send = "PING", Expect = "+PONG" }), Is.EqualTo(Success));
        Assert.That(backend.NextEnd(), Is.Null);
    }

    private static async Task<string> ReadAsync(Stream stream, int count)
    {
        byte[] bytes = new byte[count];
        await stream.ReadExactlyAsync(bytes);
        return Encoding.UTF8.GetString(bytes);
    }

    private sealed class ByteByByte(byte[] content) : MemoryStream(content)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..1], cancellationToken);
    }
}
