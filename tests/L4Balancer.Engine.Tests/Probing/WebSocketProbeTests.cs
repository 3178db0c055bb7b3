using System.Security.Cryptography.X509Certificates;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Engine.Probing;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>A WebSocket is opened, and a ping must be answered: what the probe makes of servers that do and that do not.</summary>
public sealed class WebSocketProbeTests : ExchangeFixture
{
    private static HealthSettings Ws => Of(HealthType.Ws);

    [Test]
    public async Task A_pong_is_a_success_and_the_server_closes_first_without_a_fault()
    {
        await using var backend = new TalkingBackend(WebSocketServer.Proper());
        Assert.That(Probe(backend, Ws), Is.EqualTo(Success));
        Assert.That(backend.NextEnd(), Is.Null);
    }

    [Test]
    public async Task Wss_does_the_same_over_TLS()
    {
        using X509Certificate2 certificate = Certificates.For("127.0.0.1");
        await using var backend = new TalkingBackend(WebSocketServer.Proper(), certificate);
        HealthSettings health = Of(HealthType.Wss) with { Verify = true, CaCertificates = Certificates.Authority };
        Assert.That(Probe(backend, health), Is.EqualTo(Success));
        Assert.That(backend.NextEnd(), Is.Null);
    }

    [Test]
    public async Task What_the_server_says_before_the_pong_is_passed_over()
    {
        byte[] chatter =
        [
            .. WebSocketServer.Frame(1, "welcome"u8.ToArray()), .. WebSocketServer.Frame(9, "are you there"u8.ToArray()),
            .. WebSocketServer.Frame(10, "unasked"u8.ToArray()), .. WebSocketServer.Frame(2, new byte[40_000]),
        ];
        await using var backend = new TalkingBackend(WebSocketServer.Proper(chatter));
        Assert.That(Probe(backend, Ws), Is.EqualTo(Success));
        Assert.That(backend.NextEnd(), Is.Null);
    }

    [Test]
    public async Task A_server_that_talks_without_end_is_not_listened_to()
    {
        await using var backend = new TalkingBackend(WebSocketServer.Then(async (stream, payload) =>
        {
            for (int i = 0; i < 9; i++)
            {
                await stream.WriteAsync(WebSocketServer.Frame(2, new byte[8 * 1024]));
            }

            await stream.WriteAsync(WebSocketServer.Frame(10, payload));
        }));
        Assert.That(Probe(backend, Ws), Is.EqualTo(Unfit("sent more than 64 KiB before the pong")));
    }

    [Test]
    public async Task A_pong_with_another_payload_is_none()
    {
        await using var backend = new TalkingBackend(WebSocketServer.Then(async (stream, payload) =>
        {
            await stream.WriteAsync(WebSocketServer.Frame(10, [.. payload.Select(b => (byte)~b)]));
            await stream.CopyToAsync(Stream.Null);
        }));
        Assert.That(Probe(backend, Ws with { Timeout = Short }), Is.EqualTo(Unfit("no pong within 200ms")));
    }

    [Test]
    public async Task A_close_instead_of_the_pong_is_told_with_its_code()
    {
        await using var backend = new TalkingBackend(
            WebSocketServer.Then(async (stream, _) => await stream.WriteAsync(WebSocketServer.Frame(8, [3, 0xE9]))));
        Assert.That(Probe(backend, Ws), Is.EqualTo(Unfit("closed the WebSocket before the pong (1001)")));
    }

    [Test]
    public async Task An_end_instead_of_the_pong_is_told()
    {
        await using var backend = new TalkingBackend(WebSocketServer.Then((_, _) => Task.CompletedTask));
        Assert.That(Probe(backend, Ws), Is.EqualTo(Unfit("closed before the pong")));
    }

    [Test]
    public async Task Noise_instead_of_the_pong_is_told()
    {
        await using var backend = new TalkingBackend(WebSocketServer.Then(async (stream, _) => await stream.WriteAsync(new byte[] { 0xFF, 0xFF })));
        Assert.That(Probe(backend, Ws), Is.EqualTo(Unfit("sent an invalid WebSocket frame")));
    }

    [Test]
    public async Task A_server_without_WebSocket_is_told_apart()
    {
        await using var backend = new TalkingBackend(TalkingBackend.Answering("HTTP/1.1 426 Upgrade Required\r\n\r\n"));
        Assert.That(Probe(backend, Ws), Is.EqualTo(Unfit("answered 426, not 101")));
    }

    [TestCase("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x", "answered 101 with a wrong Sec-WebSocket-Accept")]
    [TestCase("Upgrade: websocket", "Upgrade: h2c", "answered 101, but not with Upgrade: websocket and Connection: Upgrade")]
    public async Task An_upgrade_that_is_none_is_told(string right, string wrong, string fault)
    {
        await using var backend = new TalkingBackend(async stream =>
        {
            string answer = WebSocketServer.Accepting(await TalkingBackend.ReadHeadAsync(stream));
            await WebSocketServer.WriteAsync(stream, answer.Replace(right, wrong, StringComparison.Ordinal));
        });
        Assert.That(Probe(backend, Ws), Is.EqualTo(Unfit(fault)));
    }

    [Test]
    public async Task A_server_that_is_silent_after_the_connect_is_unfit()
    {
        await using var backend = new TalkingBackend(async stream => await stream.CopyToAsync(Stream.Null));
        Assert.That(Probe(backend, Ws with { Timeout = Short }), Is.EqualTo(Unfit("no answer to the upgrade within 200ms")));
    }

    [Test]
    public async Task A_frame_behind_the_upgrade_in_one_packet_is_not_lost()
    {
        await using var backend = new TalkingBackend(async stream =>
        {
            string answer = WebSocketServer.Accepting(await TalkingBackend.ReadHeadAsync(stream));
            await stream.WriteAsync((byte[])[.. System.Text.Encoding.ASCII.GetBytes(answer), .. WebSocketServer.Frame(1, "hi"u8.ToArray())[..3]]);
            (_, byte[] payload) = await WebSocketServer.ReadFrameAsync(stream);
            await stream.WriteAsync((byte[])["i"u8[0], .. WebSocketServer.Frame(10, payload)]);
        });
        Assert.That(Probe(backend, Ws), Is.EqualTo(Success));
    }

    [Test]
    public async Task A_server_that_does_not_close_is_reset_after_a_while_and_is_good_all_the_same()
    {
        await using var backend = new TalkingBackend(WebSocketServer.Then(async (stream, payload) =>
        {
            await stream.WriteAsync(WebSocketServer.Frame(10, payload));
            await stream.CopyToAsync(Stream.Null);
        }));
        Assert.That(Probe(backend, Ws with { Timeout = TimeSpan.FromMinutes(5) }), Is.EqualTo(Success));
        Assert.That(backend.NextEnd(), Is.InstanceOf<IOException>());
    }

    [Test]
    public async Task The_end_of_the_prober_cuts_exchanges_and_goodbyes_short()
    {
        var pinged = new TaskCompletionSource();
        await using var backend = new TalkingBackend(WebSocketServer.Then(async (stream, _) =>
        {
            pinged.TrySetResult();
            await stream.CopyToAsync(Stream.Null);
        }));
        Prober.Publish(ProbedPool.Snapshot(Ws with { Timeout = TimeSpan.FromHours(1) }, backend.Endpoint));
        await pinged.Task.WaitAsync(TimeSpan.FromSeconds(20));

        await Prober.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(10));
        Assert.That((Prober.InFlight, Log.Count), Is.EqualTo((0, 0)));
    }

    [Test]
    public async Task A_backend_is_unfit_as_long_as_it_answers_no_ping()
    {
        bool alive = true;
        await using var backend = new TalkingBackend(async stream =>
        {
            Func<Stream, Task> talk = Volatile.Read(ref alive) ? WebSocketServer.Proper() : WebSocketServer.Then((_, _) => Task.CompletedTask);
            await talk(stream);
        });
        Assert.That(Probe(backend, Ws), Is.EqualTo(Success));
        Volatile.Write(ref alive, false);
        Assert.That(Reports().Take(500), Has.Some.EqualTo((ProbeOutcome.Unfit, "closed before the pong")));
        Volatile.Write(ref alive, true);
        Assert.That(Reports().Take(500).SkipWhile(r => r.Outcome != ProbeOutcome.Success).Take(3), Is.All.EqualTo(Success));
    }

    private IEnumerable<(ProbeOutcome Outcome, string Detail)> Reports()
    {
        while (true)
        {
            ProbeReport report = Log.Next();
            yield return (report.Outcome, report.Detail);
        }
    }
}
