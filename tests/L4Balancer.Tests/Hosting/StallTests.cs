using System.Net;
using System.Net.Sockets;
using System.Text;

namespace L4Balancer.Tests.Hosting;

/// <summary>
/// A daemon that stands still for a while (SIGSTOP, as a paused virtual machine or a debugger) looks at what the kernel holds before it
/// believes its own timers.
/// </summary>
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class StallTests
{
    [TestCase("epoll")]
    [TestCase("managed")]
    public async Task Connections_that_were_not_idle_live_and_lose_no_byte(string engine)
    {
        const int Clients = 1500;
        await using var backend = new EchoPeer();
        string config = OneBackend.Config(backend.Endpoint, balancer: $"engine = \"{engine}\"")
            .Replace("name = \"chat\"\n", "name = \"chat\"\nidle_timeout = \"4s\"\n", StringComparison.Ordinal);
        await using DaemonProcess daemon = DaemonProcess.Run(config);
        await daemon.ReadyAsync();
        IPEndPoint listener = await daemon.ListenerAsync("wss");
        List<TcpClient> clients = [];
        try
        {
            for (int i = 0; i < Clients; i++)
            {
                clients.Add(await Talk.ConnectAsync(listener));
            }

            await Task.WhenAll(clients.Select(c => ExchangeAsync(c, "1")));
            daemon.Signal(DaemonProcess.SIGSTOP);
            await ElapseAsync(TimeSpan.FromSeconds(2.5));
            await Task.WhenAll(clients.Select(c => c.GetStream().WriteAsync("2"u8.ToArray()).AsTask()));
            await ElapseAsync(TimeSpan.FromSeconds(2.8));
            daemon.Signal(DaemonProcess.SIGCONT);

            bool[] echoed = await Task.WhenAll(clients.Select(c => IsEchoedAsync(c)));
            Assert.That(echoed.Count(e => e), Is.EqualTo(Clients));
            string metrics = await OneBackend.ScrapeAsync(daemon);
            Assert.That(metrics, Does.Not.Contain("reason=\"idle_timeout\""));
            if (engine == "epoll")
            {
                Assert.That(metrics, Does.Match("l4balancer_event_loop_stalls_total\\{worker=\"\\d+\"\\} [1-9]"));
            }
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }
    }

    [TestCase("epoll")]
    [TestCase("managed")]
    public async Task Connects_that_succeeded_meanwhile_are_no_failures(string engine)
    {
        const int Clients = 8;

        // Its queue of one is full, so that SYNs are dropped; the kernel sends them again after a second.
        using var backend = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        backend.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        backend.Listen(0);
        using TcpClient first = await Talk.ConnectAsync((IPEndPoint)backend.LocalEndPoint!);
        string config = OneBackend.Config((IPEndPoint)backend.LocalEndPoint!, balancer: $"engine = \"{engine}\"")
            .Replace("interval = \"100ms\"", "type = \"none\"", StringComparison.Ordinal);
        await using DaemonProcess daemon = DaemonProcess.Run(config);
        await daemon.ReadyAsync();
        IPEndPoint listener = await daemon.ListenerAsync("wss");
        List<TcpClient> clients = [];
        List<Socket> accepted = [];
        try
        {
            for (int i = 0; i < Clients; i++)
            {
                clients.Add(await Talk.ConnectAsync(listener));
            }

            await WaitForPendingAsync(daemon, Clients);
            daemon.Signal(DaemonProcess.SIGSTOP);
            backend.Listen(100);
            accepted.Add(await backend.AcceptAsync());
            await ElapseAsync(TimeSpan.FromSeconds(4.5));
            daemon.Signal(DaemonProcess.SIGCONT);

            for (int i = 0; i < Clients; i++)
            {
                accepted.Add(await backend.AcceptAsync().WaitAsync(DaemonProcess.Deadline));
            }

            foreach (Socket socket in accepted.Skip(1))
            {
                await socket.SendAsync("hello"u8.ToArray());
            }

            foreach (TcpClient client in clients)
            {
                Assert.That(await ReadAsync(client, 5), Is.EqualTo("hello"));
            }

            Assert.That(daemon.Output, Has.None.Contains("is down"));
            Assert.That(await OneBackend.ScrapeAsync(daemon), Does.Not.Match("l4balancer_connect_failures_total\\{[^}]*\\} [1-9]"));
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
            accepted.ForEach(s => s.Dispose());
        }
    }

    // How long the daemon stands still is what these tests are about; no condition shows it.
    private static async Task ElapseAsync(TimeSpan time)
    {
        using var once = new PeriodicTimer(time);
        await once.WaitForNextTickAsync();
    }

    private static async Task WaitForPendingAsync(DaemonProcess daemon, int count)
    {
        using var limit = new CancellationTokenSource(DaemonProcess.Deadline);
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!(await OneBackend.ScrapeAsync(daemon)).Contains($"l4balancer_connections_pending{{listener=\"wss\"}} {count}\n", StringComparison.Ordinal))
        {
            await looks.WaitForNextTickAsync(limit.Token);
        }
    }

    private static async Task ExchangeAsync(TcpClient client, string text)
    {
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(text));
        Assert.That(await ReadAsync(client, text.Length), Is.EqualTo(text));
    }

    private static async Task<bool> IsEchoedAsync(TcpClient client)
    {
        try
        {
            return await ReadAsync(client, 1) == "2";
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static async Task<string> ReadAsync(TcpClient client, int count)
    {
        byte[] bytes = new byte[count];
        using var limit = new CancellationTokenSource(DaemonProcess.Deadline);
        int read = await client.GetStream().ReadAtLeastAsync(bytes, count, throwOnEndOfStream: false, limit.Token);
        return Encoding.ASCII.GetString(bytes, 0, read);
    }
}
