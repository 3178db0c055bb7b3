using L4Balancer.Core.Config;
using L4Balancer.Core.Health;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>What an mqtt probe sends, and what it makes of the answer.</summary>
public sealed class MqttProbeTests : ExchangeFixture
{
    private const string Connect = "100C00044D515454" + "0402000A" + "0000";

    [TestCase("20020000", "")]
    [TestCase("20020001", "")]
    [TestCase("20020002", "")]
    [TestCase("20020004", "")]
    [TestCase("20020005", "")]
    [TestCase("20020003", "CONNACK says that the MQTT service is unavailable (code 3)")]
    [TestCase("20020006", "answer is not an MQTT CONNACK")]
    [TestCase("485454502F312E3120", "answer is not an MQTT CONNACK")]
    [TestCase("2003000000", "answer is not an MQTT CONNACK")]
    [TestCase("2002", "closed before the CONNACK was complete")]
    [TestCase("", "closed without a CONNACK")]
    public async Task The_CONNACK_decides(string answer, string fault)
    {
        await using var backend = new TalkingBackend(async stream =>
        {
            Assert.That(await ReadAsync(stream, 14), Is.EqualTo(Connect));
            await stream.WriteAsync(Convert.FromHexString(answer));
        });

        Assert.That(Probe(backend, Of(HealthType.Mqtt)), Is.EqualTo(fault.Length == 0 ? Success : Unfit(fault)));
    }

    [Test]
    public async Task A_good_probe_disconnects([Values] bool overTls)
    {
        using var certificate = Certificates.For("chat.example.com");
        await using var backend = new TalkingBackend(
            async stream =>
            {
                await ReadAsync(stream, 14);
                foreach (byte one in Convert.FromHexString("20020000"))
                {
                    await stream.WriteAsync(new[] { one });
                }

                Assert.That(await ReadAsync(stream, 2), Is.EqualTo("E000"));
            },
            overTls ? certificate : null);

        Assert.That(Probe(backend, Of(overTls ? HealthType.Mqtts : HealthType.Mqtt)), Is.EqualTo(Success));
        Assert.That(backend.NextEnd(), Is.Null);
    }

    [Test]
    public async Task A_broker_that_is_silent_is_unfit_when_the_timeout_has_passed()
    {
        await using var backend = new TalkingBackend(async stream =>
        {
            await ReadAsync(stream, 14);
            await stream.WriteAsync(new byte[] { 0x20 });
            await new TaskCompletionSource().Task;
        });

        Assert.That(Probe(backend, Of(HealthType.Mqtt) with { Timeout = Short }), Is.EqualTo(Unfit("no CONNACK within 200ms")));
    }

    [Test]
    public async Task A_server_that_floods_is_not_read_further()
    {
        await using var backend = new TalkingBackend(async stream =>
        {
            await stream.WriteAsync(Convert.FromHexString("20020000"));
            byte[] flood = new byte[64 * 1024];
            while (true)
            {
                await stream.WriteAsync(flood);
            }
        });

        Assert.That(Probe(backend, Of(HealthType.Mqtt)), Is.EqualTo(Success));
        Assert.That(backend.NextEnd(), Is.Not.Null, "it is reset, and not read without end");
    }

    private static async Task<string> ReadAsync(Stream stream, int count)
    {
        byte[] bytes = new byte[count];
        await stream.ReadExactlyAsync(bytes);
        return Convert.ToHexString(bytes);
    }
}
