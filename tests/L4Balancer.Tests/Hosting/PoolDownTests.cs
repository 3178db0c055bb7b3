using System.Net;
using System.Net.Sockets;
using L4Balancer.Tests.Pacing;

namespace L4Balancer.Tests.Hosting;

/// <summary><c>on_pool_down = "stop-listening"</c>, as a TCP check of a load balancer in front sees it.</summary>
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class PoolDownTests
{
    [TestCase("epoll")]
    [TestCase("managed")]
    public async Task A_TCP_check_fails_while_the_pool_is_down_and_succeeds_when_it_is_back(string engine)
    {
        using var backend = new HoldingBackend();
        await using DaemonProcess daemon = DaemonProcess.Run(Config(backend.Endpoint, engine));
        await daemon.ReadyAsync();
        IPEndPoint listener = await daemon.ListenerAsync("wss");
        using TcpClient held = await Talk.ConnectAsync(listener);
        await AskAsync(held);

        backend.StopListening();
        await daemon.LineWithAsync("no longer listening on");
        await UntilAsync(async () => !await ConnectsAsync(listener), "connects are refused");
        backend.Listen();
        await daemon.LineWithAsync("(listener wss)", 3);
        await UntilAsync(() => ConnectsAsync(listener), "connects succeed");

        Assert.That(await daemon.ListenerAsync("wss", 2), Is.EqualTo(listener), "at the same address");
        await AskAsync(held);
    }

    // A backend that has answered has accepted the connection: it does not end with the socket that listens.
    private static async Task AskAsync(TcpClient client)
    {
        await client.GetStream().WriteAsync("GET / HTTP/1.1\r\n\r\n"u8.ToArray());
        using var reader = new StreamReader(client.GetStream(), leaveOpen: true);
        string? line = await reader.ReadLineAsync().WaitAsync(DaemonProcess.Deadline);
        Assert.That(line, Does.StartWith("HTTP/1.1 200"), "the established connection is served");
        while (line is { Length: > 0 })
        {
            line = await reader.ReadLineAsync().WaitAsync(DaemonProcess.Deadline);
        }
    }

    private static async Task<bool> ConnectsAsync(IPEndPoint listener)
    {
        try
        {
            using TcpClient client = await Talk.ConnectAsync(listener);
            return true;
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionRefused or SocketError.ConnectionReset)
        {
            return false;
        }
    }

    private static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        long began = TimeProvider.System.GetTimestamp();
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!await condition())
        {
            Assert.That(TimeProvider.System.GetElapsedTime(began), Is.LessThan(DaemonProcess.Deadline), $"waited in vain: {what}");
            await looks.WaitForNextTickAsync();
        }
    }

    private static string Config(IPEndPoint backend, string engine) => $"""
        [balancer]
        engine = "{engine}"
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        on_pool_down = "stop-listening"
        [[pools]]
        name = "chat"
          [pools.health]
          interval = "50ms"
          fast_interval = "50ms"
          down_interval = "50ms"
          [[pools.backends]]
          name = "ws1"
          address = "{backend}"

        """;
}
