using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using L4Balancer.Tests.Admin;
using L4Balancer.Tests.Pacing;

namespace L4Balancer.Tests.Hosting;

/// <summary>Over a real daemon: a backend that a reload adds gets no connection before its first probe has succeeded.</summary>
[CancelAfter(120_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class NewBackendTests
{
    private SocketFolder _folder = null!;

    [SetUp]
    public void Make_a_folder() => _folder = new SocketFolder();

    [TearDown]
    public void Remove_it() => _folder.Dispose();

    [Test]
    public async Task A_backend_whose_application_never_answers_gets_no_connection_and_a_good_one_soon_does()
    {
        using var good = new HoldingBackend();
        using var later = new HoldingBackend();
        using var dead = new TcpListener(IPAddress.Loopback, 0);
        dead.Start();
        string file = DaemonProcess.ConfigFileWith(Config(good.Endpoint));
        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", file);
        await daemon.ReadyAsync();
        IPEndPoint front = await daemon.ListenerAsync("wss");
        var clients = new List<TcpClient>();
        try
        {
            await ComeAsync(clients, front, 20);
            await File.WriteAllTextAsync(file, Config(good.Endpoint, (IPEndPoint)dead.LocalEndpoint));
            daemon.Signal(DaemonProcess.SIGHUP);
            await daemon.LineWithAsync("generation 2");
            Assert.That(await StatesAsync(), Is.EqualTo(new[] { "up", "checking" }));
            await ComeAsync(clients, front, 20);
            Assert.That(await ConnectionsAsync(inAll: 40), Is.EqualTo(new[] { 40, 0 }));

            // The interval is far longer than the test: the first probe comes at once.
            await File.WriteAllTextAsync(file, Config(good.Endpoint, later.Endpoint));
            daemon.Signal(DaemonProcess.SIGHUP);
            await daemon.LineWithAsync($"backend chat/b1 ({later.Endpoint}) is up");
            await ComeAsync(clients, front, 20);
            Assert.That(await ConnectionsAsync(inAll: 60), Is.EqualTo(new[] { 40, 20 }));
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
        }
    }

    private static async Task ComeAsync(List<TcpClient> clients, IPEndPoint front, int count)
    {
        for (int i = 0; i < count; i++)
        {
            clients.Add(await Talk.ConnectAsync(front));
        }
    }

    private async Task<string[]> StatesAsync() => [.. (await BackendsAsync()).Select(b => b.GetProperty("state").GetString()!)];

    private async Task<int[]> ConnectionsAsync(int inAll)
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (true)
        {
            int[] now = [.. (await BackendsAsync()).Select(b => b.GetProperty("connections").GetInt32())];
            if (now.Sum() == inAll)
            {
                return now;
            }

            await looks.WaitForNextTickAsync(deadline.Token);
        }
    }

    private async Task<JsonElement[]> BackendsAsync() => [.. (await _folder.GetAsync("/v1/backends")).GetProperty("backends").EnumerateArray()];

    private string Config(params IPEndPoint[] backends) => $"""
        [admin]
        socket = "{_folder.SocketPath}"
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
        balance = "least-connections"
        health = {"{"} type = "http", interval = "1h", fast_interval = "1h", down_interval = "1h", timeout = "1h" {"}"}

        """ + string.Concat(backends.Select((b, i) => $"[[pools.backends]]\nname = \"b{i}\"\naddress = \"{b}\"\n"));
}
