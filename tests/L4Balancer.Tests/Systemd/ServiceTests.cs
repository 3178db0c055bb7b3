using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Systemd;

/// <summary>What a real daemon reports to the service manager, and the sockets that it inherits.</summary>
[Platform("Linux")]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class ServiceTests
{
    private const string HandOver = """
        import os, socket, sys
        listener = socket.socket()
        listener.bind(("127.0.0.1", int(sys.argv[1])))
        listener.listen(64)
        os.dup2(listener.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="wss")
        os.execvp(sys.argv[2], sys.argv[2:])
        """;

    [Test]
    public async Task The_manager_hears_of_start_pings_reload_and_a_long_end()
    {
        using var manager = new Manager();
        await using var backend = new EchoPeer();
        var environment = new Dictionary<string, string> { ["NOTIFY_SOCKET"] = manager.Path, ["WATCHDOG_USEC"] = "300000" };
        await using DaemonProcess daemon = DaemonProcess.Start(
            environment, [], "run", "--config", DaemonProcess.ConfigFileWith(Config(backend, "127.0.0.1:0", "shutdown_grace = \"1h\"")));
        await manager.UntilAsync("READY=1\nSTATUS=");
        await manager.UntilAsync("WATCHDOG=1");
        await manager.UntilAsync("WATCHDOG=1");
        daemon.Signal(DaemonProcess.SIGHUP);
        string reloading = await manager.UntilAsync("RELOADING=1\nMONOTONIC_USEC=");
        long told = long.Parse(reloading.Split('=')[^1], CultureInfo.InvariantCulture);
        Assert.That(told, Is.EqualTo(Environment.TickCount64 * 1000).Within(60_000_000), "microseconds since the start of the machine");
        await manager.UntilAsync("READY=1\nSTATUS=");

        using TcpClient client = await Talk.ConnectAsync(await daemon.ListenerAsync("wss"));
        using TcpClient other = await Talk.ConnectAsync(await daemon.ListenerAsync("wss"));
        await Talk.EchoAsync(client, "open");
        await Talk.EchoAsync(other, "open");
        daemon.Signal(DaemonProcess.SIGTERM);
        await manager.UntilAsync("STOPPING=1\n");
        await manager.UntilAsync("EXTEND_TIMEOUT_USEC=30000000");
        await manager.UntilAsync("WATCHDOG=1");
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await daemon.ExitAsync(), Is.Zero);
    }

    [Test]
    public async Task A_reload_during_the_delay_of_the_end_is_done_and_the_manager_hears_nothing_of_it()
    {
        using var manager = new Manager();
        await using var backend = new EchoPeer();
        var environment = new Dictionary<string, string> { ["NOTIFY_SOCKET"] = manager.Path };
        await using DaemonProcess daemon = DaemonProcess.Start(
            environment, [], "run", "--config", DaemonProcess.ConfigFileWith(Config(backend, "127.0.0.1:0", "shutdown_delay = \"1h\"")));
        await manager.UntilAsync("READY=1\nSTATUS=");
        daemon.Signal(DaemonProcess.SIGTERM);
        await manager.UntilAsync("STOPPING=1\n");
        int stopping = manager.Heard.Count;
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync("SIGHUP: configuration reloaded");
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await daemon.ExitAsync(), Is.Zero);

        manager.HearTheRest();
        Assert.That(manager.Heard.Skip(stopping), Has.None.StartWith("READY=1").And.None.StartWith("RELOADING=1").And.None.StartWith("STATUS="));
    }

    [Test]
    public async Task A_watchdog_of_another_process_is_not_answered()
    {
        using var manager = new Manager();
        await using var backend = new EchoPeer();
        var environment = new Dictionary<string, string>
        {
            ["NOTIFY_SOCKET"] = manager.Path,
            ["WATCHDOG_USEC"] = "100000",
            ["WATCHDOG_PID"] = "1",
        };
        await using DaemonProcess daemon = DaemonProcess.Start(
            environment, [], "run", "--config", DaemonProcess.ConfigFileWith(Config(backend, "127.0.0.1:0")));
        await manager.UntilAsync("READY=1\n");
        daemon.Signal(DaemonProcess.SIGTERM);
        await manager.UntilAsync("STOPPING=1\n");
        Assert.That(manager.Heard, Has.None.EqualTo("WATCHDOG=1"));
    }

    [Test]
    public async Task A_socket_that_is_handed_in_is_listened_on()
    {
        if (!File.Exists("/usr/bin/python3"))
        {
            Assert.Ignore("Debian's python3 is not installed");
        }

        await using var backend = new EchoPeer();
        int port = FreePort();
        string path = DaemonProcess.ConfigFileWith(Config(backend, $"127.0.0.1:{port}"));
        await using DaemonProcess daemon = DaemonProcess.Start(
            new Dictionary<string, string>(), ["/usr/bin/python3", "-c", HandOver, port.ToString(CultureInfo.InvariantCulture)],
            "run", "--config", path);
        using TcpClient client = await Talk.ConnectAsync(await daemon.ListenerAsync("wss"));
        Assert.That(await Talk.EchoAsync(client, "hello"), Is.EqualTo("hello"));
        await daemon.LineWithAsync("using the inherited socket of");
        daemon.Signal(DaemonProcess.SIGTERM);
        client.Close();
        Assert.That(await daemon.ExitAsync(), Is.Zero);
    }

    private static string Config(EchoPeer backend, string bind, string balancer = "") => $$"""
        [balancer]
        {{balancer}}
        [admin]
        socket = ""
        [[listeners]]
        name = "wss"
        bind = ["{{bind}}"]
        pool = "chat"
        [[pools]]
        name = "chat"
        health = { type = "none" }
        [[pools.backends]]
        name = "ws1"
        address = "{{backend.Endpoint}}"

        """;

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>A service manager that keeps what it has read.</summary>
    private sealed class Manager : IDisposable
    {
        private readonly NotifySocket _socket = new();

        public string Path => _socket.Address;

        public List<string> Heard { get; } = [];

        /// <summary>The next message that begins so; what comes before it is kept too.</summary>
        public async Task<string> UntilAsync(string start)
        {
            using var patience = new CancellationTokenSource(DaemonProcess.Deadline);
            while (true)
            {
                string message = await _socket.NextAsync(patience.Token);
                Heard.Add(message);
                if (message.StartsWith(start, StringComparison.Ordinal))
                {
                    return message;
                }
            }
        }

        /// <summary>What has been sent by now.</summary>
        public void HearTheRest() => Heard.AddRange(_socket.Rest());

        public void Dispose() => _socket.Dispose();
    }
}
