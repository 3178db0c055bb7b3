using System.Collections.Immutable;
using System.Net.Sockets;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Http;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Probing;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>What an http probe asks, and what it makes of the answer.</summary>
public sealed class HttpProbeTests : ExchangeFixture
{
    [TestCase("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200-399", "")]
    [TestCase("HTTP/1.0 302 Found\r\n\r\n", "200-399", "")]
    [TestCase("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", "204", "")]
    [TestCase("HTTP/1.1 503 Service Unavailable\r\n\r\n", "503", "")]
    [TestCase("HTTP/1.1 503 Service Unavailable\r\n\r\n", "200-399", "answered 503")]
    [TestCase("HTTP/1.1 200 OK\r\n\r\n", "204", "answered 200")]
    [TestCase("HTTP/1.1 103 Early Hints\r\n\r\n", "100-599", "closed without an answer")]
    [TestCase("", "200-399", "closed without an answer")]
    [TestCase("HTTP/1.1 200 OK\r\nServer", "200-399", "closed before the answer was complete")]
    [TestCase("SSH-2.0-OpenSSH_9.2\r\n", "200-399", "answer is not HTTP/1")]
    public async Task The_status_of_the_answer_decides(string answer, string status, string fault)
    {
        await using var backend = new TalkingBackend(TalkingBackend.Answering(answer));
        Assert.That(StatusCodes.TryParse(status, out StatusCodes codes), Is.True);

        Assert.That(Probe(backend, Of(HealthType.Http) with { Status = codes }), Is.EqualTo(fault.Length == 0 ? Success : Unfit(fault)));
    }

    [Test]
    public async Task An_endless_head_is_read_to_the_bound_and_no_further()
    {
        string endless = "HTTP/1.1 200 OK\r\nA: " + new string('a', 2 * ResponseHead.LongestHead);
        await using var backend = new TalkingBackend(TalkingBackend.Answering(endless));

        Assert.That(Probe(backend, Of(HealthType.Http)), Is.EqualTo(Unfit("answered with a head of more than 16 KiB")));
    }

    [Test]
    public async Task Interim_answers_without_end_are_not_followed()
    {
        string endless = string.Concat(Enumerable.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 100));
        await using var backend = new TalkingBackend(TalkingBackend.Answering(endless));

        Assert.That(Probe(backend, Of(HealthType.Http)), Is.EqualTo(Unfit("answered 102 repeatedly without a final response")));
    }

    [Test]
    public async Task A_backend_that_is_connected_and_silent_is_unfit_when_the_timeout_has_passed()
    {
        await using var backend = new TalkingBackend(async stream => await stream.ReadAsync(new byte[1000]).AsTask().ContinueWith(
            _ => new TaskCompletionSource().Task, TaskScheduler.Default).Unwrap());

        Assert.That(Probe(backend, Of(HealthType.Http) with { Timeout = Short }), Is.EqualTo(Unfit("no answer to GET within 200ms")));
    }

    [Test]
    public async Task A_backend_that_resets_is_unfit()
    {
        await using var backend = new TalkingBackend(async stream =>
        {
            await TalkingBackend.ReadHeadAsync(stream);
            Socket socket = ((NetworkStream)stream).Socket;
            socket.LingerState = new LingerOption(enable: true, seconds: 0);
            socket.Dispose();
        });

        Assert.That(Probe(backend, Of(HealthType.Http)), Is.EqualTo(Unfit("reset before the answer")));
    }

    [Test]
    public void A_backend_that_refuses_is_a_failed_connect_whatever_the_type()
    {
        using TestBackend silent = TestBackend.Silent();
        Prober.Publish(ProbedPool.Snapshot(Of(HealthType.Http), silent.Endpoint));

        ProbeReport report = Log.Next();
        Assert.That((report.Outcome, report.Detail), Is.EqualTo((ProbeOutcome.Failure, "connection refused")));
    }

    [Test]
    public void A_backend_that_takes_no_connection_is_a_failed_connect_whatever_the_type()
    {
        using TestBackend hole = TestBackend.BlackHole();
        Prober.Publish(ProbedPool.Snapshot(Of(HealthType.Wss) with { Timeout = Short }, hole.Endpoint));

        ProbeReport report = Log.Next();
        Assert.That((report.Outcome, report.Detail), Is.EqualTo((ProbeOutcome.Failure, "no answer within 200ms")));
    }

    [TestCase("", ExpectedResult = "Host: ws1.example:PORT")]
    [TestCase("chat.example.com", ExpectedResult = "Host: chat.example.com")]
    [TestCase("chat.example.com:8443", ExpectedResult = "Host: chat.example.com:8443")]
    public async Task<string> The_request_is_what_the_keys_say(string host)
    {
        var heads = new List<string>();
        await using var backend = new TalkingBackend(async stream =>
        {
            string head = await TalkingBackend.ReadHeadAsync(stream);
            lock (heads)
            {
                heads.Add(head);
            }

            await WebSocketServer.WriteAsync(stream, "HTTP/1.1 200 OK\r\n\r\n");
        });
        HealthSettings health = Of(HealthType.Http) with
        {
            Path = "/healthz?from=lb",
            Host = host,
            Headers = ImmutableSortedDictionary<string, string>.Empty.Add("Authorization", "Bearer abc").Add("User-Agent", "mine"),
        };
        Assert.That(Probe(backend, "ws1.example:" + backend.Endpoint.Port, health), Is.EqualTo(Success));

        lock (heads)
        {
            string[] lines = heads[0].Split("\r\n");
            Assert.That(lines[0], Is.EqualTo("GET /healthz?from=lb HTTP/1.1"));
            Assert.That(lines[2..], Is.EqualTo(new[] { "Authorization: Bearer abc", "User-Agent: mine", "Connection: close", "", "" }));
            return lines[1].Replace(backend.Endpoint.Port.ToString(), "PORT", StringComparison.Ordinal);
        }
    }

    [Test]
    public async Task Another_type_and_another_path_take_effect_at_the_next_probe()
    {
        await using var backend = new TalkingBackend(async stream =>
        {
            string head = await TalkingBackend.ReadHeadAsync(stream);
            await WebSocketServer.WriteAsync(stream, head.StartsWith("GET /bad ", StringComparison.Ordinal)
                ? "HTTP/1.1 500 Oh\r\n\r\n" : "HTTP/1.1 200 OK\r\n\r\n");
        });
        RoutingSnapshot tcp = ProbedPool.Snapshot(Of(HealthType.Tcp), backend.Endpoint);
        Prober.Publish(tcp);
        Assert.That(Log.Next().Outcome, Is.EqualTo(ProbeOutcome.Success));

        Publish(Of(HealthType.Http) with { Path = "/bad" });
        Assert.That(() => Log.Next().Detail, Is.EqualTo("answered 500").After(20_000, 1));
        Publish(Of(HealthType.Http) with { Path = "/good" });
        Assert.That(() => Log.Next().Outcome, Is.EqualTo(ProbeOutcome.Success).After(20_000, 1));
        Publish(Of(HealthType.Ws));
        Assert.That(() => Log.Next().Detail, Is.EqualTo("answered 200, not 101").After(20_000, 1));

        void Publish(HealthSettings health) =>
            Prober.Publish(ProbedPool.Snapshot(health, [], ProbedPool.Named(backend.Endpoint), tcp));
    }
}
