using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text.Json;
using L4Balancer.Core.Addressing;
using L4Balancer.Platform;
using L4Balancer.Tests.Admin;
using L4Balancer.Tests.Resolving;

namespace L4Balancer.Tests.Hosting;

/// <summary>A real daemon whose backends are, or come to be, its own listeners.</summary>
[Category(DaemonProcess.Category)]
[CancelAfter(120_000)]
[Parallelizable(ParallelScope.Self)]
internal sealed class SelfConnectTests
{
    private SocketFolder _folder = null!;

    [SetUp]
    public void Make_a_folder() => _folder = new SocketFolder();

    [TearDown]
    public void Remove_it() => _folder.Dispose();

    [TestCase("check")]
    [TestCase("run")]
    public async Task What_the_file_shows_is_one_line_with_its_position(string command)
    {
        await using DaemonProcess daemon = DaemonProcess.Start(
            command, "--config", DaemonProcess.ConfigFileWith(Config("0.0.0.0:20443", "127.0.0.1:20443")));
        Assert.That(await daemon.ExitAsync(), Is.EqualTo(2));
        Assert.That(daemon.Errors.Single(), Does.Match(@"\.toml:\d+:11: error: pools\[0\]\.backends\[0\]\.address: .*listener wss \(0\.0\.0\.0:20443\)"));
    }

    [Test]
    public async Task An_address_of_this_host_is_refused_at_start()
    {
        int port = FreePort();
        string address = OwnAddress();
        await using DaemonProcess check = DaemonProcess.Start("check", "--config", File(port, $"{address}:{port}"));
        Assert.That(await check.ExitAsync(), Is.Zero, "the file may be meant for another host");

        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", File(port, $"{address}:{port}"));
        Assert.That(await daemon.ExitAsync(), Is.EqualTo(1));
        Assert.That(daemon.Errors.Single(), Does.StartWith($"l4balancer: pool chat: backend ws1 ({address}:{port})").And.Contain($"listener wss (0.0.0.0:{port})"));
    }

    [Test]
    public async Task A_reload_to_an_address_of_this_host_changes_nothing()
    {
        await using var backend = new EchoPeer();
        int port = FreePort();
        string file = File(port, backend.Endpoint.ToString());
        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", file);
        await daemon.ReadyAsync();

        await System.IO.File.WriteAllTextAsync(file, Config($"0.0.0.0:{port}", $"{OwnAddress()}:{port}"));
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync("generation 1 remains active");
        Assert.That(daemon.Output, Has.Some.Contains("reload: pool chat: backend ws1").And.Some.Contains("would connect to itself"));
        using TcpClient client = await Talk.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port));
        Assert.That(await Talk.EchoAsync(client, "a"), Is.EqualTo("a"));
    }

    [Test]
    [Platform("Linux")]
    public async Task A_name_that_is_this_host_at_the_start_is_refused()
    {
        using var hosts = new HostsNamespace();
        int port = FreePort();
        hosts.Say("127.0.0.1 app.test");
        await using DaemonProcess daemon = Start(hosts, File(port, $"app.test:{port}"));
        Assert.That(await daemon.ExitAsync(), Is.EqualTo(1));
        Assert.That(daemon.Errors.Single(), Does.Contain($"backend ws1 (app.test:{port})").And.Contain("would connect to itself"));
    }

    [Test]
    [Platform("Linux")]
    public async Task A_name_that_comes_to_be_this_host_is_not_used_and_neither_probed()
    {
        using var hosts = new HostsNamespace();
        int port = FreePort();
        await using var backend = new EchoPeer(IPAddress.Parse("127.0.0.41"), port);
        hosts.Say("127.0.0.41 app.test");
        string file = DaemonProcess.ConfigFileWith(Config($"127.0.0.1:{port}", $"app.test:{port}", "health = { interval = \"50ms\" }"));
        await using DaemonProcess daemon = Start(hosts, file);
        await daemon.ReadyAsync();
        using (TcpClient client = await Talk.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port)))
        {
            Assert.That(await Talk.EchoAsync(client, "a"), Is.EqualTo("a"));
        }

        hosts.Say("127.0.0.1 app.test");
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync($"backend chat/ws1: app.test:{port} resolves to 127.0.0.1, which is listener wss (127.0.0.1:{port}) of this daemon");
        await daemon.LineWithAsync($"backend chat/ws1 (app.test:{port}) is down: name resolves to 127.0.0.1, which is listener wss");
        long accepted = await AcceptedAsync();
        Assert.That(await Talk.IsRefusedAsync(new IPEndPoint(IPAddress.Loopback, port)), Is.True);

        // Only time shows that nothing comes: twenty probes would have come meanwhile, and a client would have become as many connections as
        // there may be.
        await Task.Delay(TimeSpan.FromSeconds(1));
        Assert.That(await AcceptedAsync(), Is.EqualTo(accepted + 1));

        // Another change of the file comes into force all the same.
        await System.IO.File.WriteAllTextAsync(file, (await System.IO.File.ReadAllTextAsync(file)).Replace("50ms", "40ms", StringComparison.Ordinal));
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync("SIGHUP: configuration reloaded, 1 changes");
        hosts.Say("127.0.0.41 app.test");
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync($"backend chat/ws1 (app.test:{port}) is up");
    }

    [Test]
    [Platform("Linux")]
    public void The_addresses_of_this_host_are_known_without_netlink()
    {
        HostAddress[] own =
        [
            .. NetworkInterface.GetAllNetworkInterfaces().SelectMany(i => i.GetIPProperties().UnicastAddresses).Select(a => a.Address)
                .Where(a => !a.IsIPv6LinkLocal).Select(HostAddress.From),
        ];
        Assert.That(own.Where(a => !LocalAddresses.Has(a)), Is.Empty);
        Assert.That(LocalAddresses.Has(HostAddress.FromV4(0x7F01_0203)), Is.True);
        Assert.That(LocalAddresses.Has(HostAddress.FromV4(0xC000_0201)), Is.False, "192.0.2.1");
        Assert.That(LocalAddresses.Has(new HostAddress(0x2001_0DB8_0000_0000, 77)), Is.False);
    }

    private async Task<long> AcceptedAsync()
    {
        JsonElement status = await _folder.GetAsync("/v1/status");
        return status.GetProperty("accepted").GetInt64();
    }

    private static DaemonProcess Start(HostsNamespace hosts, string file) =>
        DaemonProcess.Start(new Dictionary<string, string>(), hosts.Wrapper, "run", "--config", file);

    private static string OwnAddress()
    {
        string? address = NetworkInterface.GetAllNetworkInterfaces().SelectMany(i => i.GetIPProperties().UnicastAddresses)
            .Select(a => a.Address).FirstOrDefault(a => a.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(a))?.ToString();
        if (address is null)
        {
            Assert.Ignore("This host has loopback addresses only.");
        }

        return address;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Any, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private string File(int port, string address) => DaemonProcess.ConfigFileWith(Config($"0.0.0.0:{port}", address));

    private string Config(string bind, string address, string pool = "health = { type = \"none\" }") => $"""
        [admin]
        socket = "{_folder.SocketPath}"
        [[listeners]]
        name = "wss"
        bind = ["{bind}"]
        pool = "chat"
        [[pools]]
        name = "chat"
        {pool}
        [[pools.backends]]
        name = "ws1"
        address = "{address}"
        """;
}
