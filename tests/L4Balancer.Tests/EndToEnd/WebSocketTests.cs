using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>wss as a .NET user has it: <see cref="ClientWebSocket"/> through the daemon to ASP.NET Core, two backends.</summary>
[CancelAfter(180_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class WebSocketTests
{
    private WebSocketBackend[] _backends = [];
    private Front _front = null!;

    [OneTimeSetUp]
    public async Task StartAsync()
    {
        _backends = [await WebSocketBackend.StartAsync("alpha"), await WebSocketBackend.StartAsync("beta")];
        _front = await Front.StartAsync(_backends.Select(b => (b.Name, b.Port)));
    }

    [OneTimeTearDown]
    public async Task StopAsync()
    {
        await _front.DisposeAsync();
        foreach (WebSocketBackend backend in _backends)
        {
            await backend.DisposeAsync();
        }
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(65_536)]
    [TestCase(20 * 1024 * 1024)]
    public async Task A_message_comes_back_unchanged(int size, CancellationToken cancel)
    {
        using ClientWebSocket client = (await ConnectAsync(cancel)).Client;
        byte[] sent = BytesOf(size, seed: size);
        // Assert.That(array, Is.EqualTo(array)) takes minutes for 20 MB; a comparison of spans says as much.
        Assert.That((await WssClient.EchoAsync(client, sent, cancel)).AsSpan().SequenceEqual(sent), Is.True);
        await client.CloseAsync(WebSocketCloseStatus.NormalClosure, "done", cancel);
        Assert.That((client.CloseStatus, client.CloseStatusDescription), Is.EqualTo((WebSocketCloseStatus.NormalClosure, "done")));
    }

    [Test]
    public async Task Five_hundred_connections_at_once_each_get_their_own_bytes_from_a_backend_with_its_own_certificate(CancellationToken cancel)
    {
        (ClientWebSocket Client, string Backend, string Fingerprint)[] open =
            await Task.WhenAll(Enumerable.Range(0, 500).Select(_ => ConnectAsync(cancel)));
        Assert.That(await ActiveAsync(cancel), Is.EqualTo(500));

        bool[] same = await Task.WhenAll(open.Select(async (o, i) =>
        {
            byte[] sent = BytesOf(1000, seed: i);
            return (await WssClient.EchoAsync(o.Client, sent, cancel)).AsSpan().SequenceEqual(sent);
        }));
        Assert.That(same, Has.All.True);
        Assert.That(
            open.Select(o => (o.Backend, o.Fingerprint)).Distinct(),
            Is.EquivalentTo(_backends.Select(b => (b.Name, b.Certificate.Fingerprint))));

        await Task.WhenAll(open.Select(o => o.Client.CloseAsync(WebSocketCloseStatus.NormalClosure, null, cancel)));
        Array.ForEach(open, o => o.Client.Dispose());
        while (await ActiveAsync(cancel) > 0)
        {
            // The last FINs are under way; every scrape asks again.
            cancel.ThrowIfCancellationRequested();
        }
    }

    [Test]
    public async Task A_ping_comes_back_as_a_pong_with_its_payload(CancellationToken cancel)
    {
        using var tcp = new TcpClient();
        await tcp.ConnectAsync(_front.Listener, cancel);
        await using var tls = new SslStream(tcp.GetStream(), false, BackendCertificate.Only(_backends.Select(b => b.Certificate)));
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost" }, cancel);
        await tls.WriteAsync(
            "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"u8.ToArray(), cancel);
        await tls.WriteAsync("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"u8.ToArray(), cancel);
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            await tls.ReadExactlyAsync(one, cancel);
            head.Append((char)one[0]);
        }

        Assert.That(head.ToString(), Does.StartWith("HTTP/1.1 101 "));

        // RFC 6455, 5.2: FIN and opcode 9, the masked length, the mask; a mask of zeros leaves the payload as it is.
        await tls.WriteAsync((byte[])[0x89, 0x85, 0, 0, 0, 0, .. "hello"u8], cancel);
        var pong = new byte[7];
        await tls.ReadExactlyAsync(pong, cancel);
        Assert.That(pong, Is.EqualTo((byte[])[0x8A, 0x05, .. "hello"u8]));
    }

    private static byte[] BytesOf(int size, int seed)
    {
        var bytes = new byte[size];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private async Task<double> ActiveAsync(CancellationToken cancel)
    {
        double sum = 0;
        foreach (WebSocketBackend backend in _backends)
        {
            sum += await _front.OfBackendAsync("connections_active", backend.Name, cancel);
        }

        return sum;
    }

    private Task<(ClientWebSocket Client, string Backend, string Fingerprint)> ConnectAsync(CancellationToken cancel) =>
        WssClient.ConnectAsync(_front.Listener, _backends, cancel);
}
