using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace L4Balancer.Tests.Direct;

/// <summary>Clients of the endpoint API that want to harm it.</summary>
[Parallelizable(ParallelScope.All)]
internal sealed class HostileClientTests
{
    [Test]
    public async Task Connections_of_one_source_are_bounded_and_others_are_served()
    {
        using var logs = new FakeLoggerProvider();
        using var loggers = new LoggerFactory([logs]);
        await using EndpointScene scene = await EndpointScene.StartAsync("", "", loggers);
        List<TcpClient> silent = [];
        try
        {
            for (int i = 0; i < 100; i++)
            {
                var client = new TcpClient();
                silent.Add(client);
                await client.ConnectAsync(scene.Url.Host, scene.Url.Port);
            }

            JsonElement answer = await scene.GetAsync("/v1/endpoint?pool=chat");
            Assert.That(answer.GetProperty("pool").GetString(), Is.EqualTo("chat"));
            await UntilAsync(() => silent.Count(static c => IsClosed(c.Client)) >= 100 - 16, "all but 16 are closed");
            Assert.That(
                logs.Collector.GetSnapshot().Select(l => l.Message),
                Has.Exactly(1).Contains("too many connections, the latest from 127.0.0.1").And.None.Contains("token"));
        }
        finally
        {
            silent.ForEach(static c => c.Dispose());
        }
    }

    [Test]
    public async Task A_head_that_comes_slowly_is_cut_off()
    {
        await using EndpointScene scene = await EndpointScene.StartAsync();
        using var client = new TcpClient();
        await client.ConnectAsync(scene.Url.Host, scene.Url.Port);
        var waited = Stopwatch.StartNew();
        byte[] head = Encoding.ASCII.GetBytes("GET /v1/endpoint?pool=chat HTTP/1.1\r\nHost: a\r\nX: " + new string('x', 4000));
        int sent = 0;
        await UntilAsync(
            () =>
            {
                try
                {
                    sent += client.Client.Send(head, sent, 1, SocketFlags.None);
                }
                catch (SocketException)
                {
                    return true;
                }

                return client.Client.Poll(0, SelectMode.SelectRead);
            },
            "the request is refused");
        TestContext.Out.WriteLine($"refused after {waited.Elapsed}, {sent} bytes");
        Assert.That(waited.Elapsed, Is.LessThan(TimeSpan.FromSeconds(30)));
    }

    [TestCase(20_000, "414")]
    [TestCase(1_000_000, "414")]
    public async Task A_huge_query_is_refused(int length, string status)
    {
        await using EndpointScene scene = await EndpointScene.StartAsync();
        Assert.That(await FirstLineAsync(scene, $"GET /v1/endpoint?pool=chat&key={new string('k', length)} HTTP/1.1\r\nHost: a\r\n\r\n"),
            Does.StartWith($"HTTP/1.1 {status} ").Or.Empty);
    }

    [Test]
    public async Task A_query_of_a_thousand_parameters_is_refused()
    {
        await using EndpointScene scene = await EndpointScene.StartAsync();
        string query = string.Join('&', Enumerable.Range(0, 1000).Select(static i => $"p{i}"));
        Assert.That(await FirstLineAsync(scene, $"GET /v1/endpoint?{query} HTTP/1.1\r\nHost: a\r\n\r\n"), Does.StartWith("HTTP/1.1 400 "));
    }

    [TestCase("Content-Length: 1000000000\r\n", "413")]
    [TestCase("Content-Length: -1\r\n", "400")]
    [TestCase("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "200")]
    public async Task A_body_is_not_read(string header, string status)
    {
        await using EndpointScene scene = await EndpointScene.StartAsync();
        Assert.That(
            await FirstLineAsync(scene, $"POST /negotiate?pool=chat HTTP/1.1\r\nHost: a\r\n{header}\r\n0\r\n\r\n"),
            Does.StartWith($"HTTP/1.1 {status} ").Or.StartsWith("HTTP/1.1 400 "));
    }

    [TestCase("GET http://other.example/v1/endpoint?pool=chat HTTP/1.1\r\nHost: other.example\r\n\r\n", "200")]
    [TestCase("GET /v1/endpoint?pool=%00%ff HTTP/1.1\r\nHost: a\r\n\r\n", "404")]
    [TestCase("GET /v1/endpoint?pool=chat&key=%F0%28%8C%28 HTTP/1.1\r\nHost: a\r\n\r\n", "200")]
    [TestCase("GET /v1/endpoint?pool=chat HTTP/1.1\r\nHost: a\r\nOrigin: a\r\nOrigin: b\r\n\r\n", "403")]
    [TestCase("\u0016\u0003\u0001\u0002", "")]
    public async Task Odd_requests_are_answered_or_refused(string request, string status)
    {
        await using EndpointScene scene = await EndpointScene.StartAsync("allow_origins = [\"https://chat.example.com\"]");
        string line = await FirstLineAsync(scene, request, end: status.Length == 0);
        Assert.That(line, status.Length == 0 ? Does.StartWith("HTTP/1.1 ").Or.Empty : Does.StartWith($"HTTP/1.1 {status} "));
        Assert.That((await scene.GetAsync("/v1/endpoint?pool=chat")).GetProperty("pool").GetString(), Is.EqualTo("chat"), "and the next is served");
    }

    private static async Task<string> FirstLineAsync(EndpointScene scene, string request, bool end = false)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(scene.Url.Host, scene.Url.Port);
        using var passed = new CancellationTokenSource(DaemonProcess.Deadline);
        try
        {
            NetworkStream stream = client.GetStream();
            await stream.WriteAsync(Encoding.Latin1.GetBytes(request), passed.Token);
            if (end)
            {
                client.Client.Shutdown(SocketShutdown.Send);
            }

            using var reader = new StreamReader(stream);
            return await reader.ReadLineAsync(passed.Token) ?? "";
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            // Reset: the server did not read all of it.
            return "";
        }
    }

    private static bool IsClosed(Socket socket)
    {
        try
        {
            return socket.Poll(0, SelectMode.SelectRead) && socket.Available == 0;
        }
        catch (SocketException)
        {
            return true;
        }
    }

    private static async Task UntilAsync(Func<bool> holds, string what)
    {
        var waited = Stopwatch.StartNew();
        while (!holds())
        {
            Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline), what);
            await Task.Delay(20);
        }
    }
}
