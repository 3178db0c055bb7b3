using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using L4Balancer.Tests.Admin;

namespace L4Balancer.Tests.Resolving;

/// <summary>Backends that have host names, before a real daemon whose /etc/hosts a test writes.</summary>
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class HostNameTests
{
    private SocketFolder _folder = null!;

    [SetUp]
    public void Make_a_folder() => _folder = new SocketFolder();

    [TearDown]
    public void Remove_it() => _folder.Dispose();

    [Test]
    public async Task A_backend_is_reached_by_its_name_and_followed_to_a_new_address()
    {
        using var hosts = new HostsNamespace();
        await using var peers = new TwoPeers();
        hosts.Say("127.0.0.41 ws1.test");
        await using DaemonProcess daemon = Start(hosts, Config($"ws1.test:{peers.Port}"));
        await daemon.ReadyAsync();
        IPEndPoint listener = await daemon.ListenerAsync("wss");
        using TcpClient old = await Talk.ConnectAsync(listener);
        Assert.That(await Talk.EchoAsync(old, "a"), Is.EqualTo("a"));
        Assert.That(peers.Accepted, Is.EqualTo((1, 0)));
        Assert.That((await BackendAsync()).ToString(), Does.Contain($"\"address\":\"ws1.test:{peers.Port}\",\"resolved_address\":\"127.0.0.41:{peers.Port}\""));

        hosts.Say("127.0.0.42 ws1.test");
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync($"backend chat/ws1: ws1.test:{peers.Port} resolves to 127.0.0.42:{peers.Port}");
        using TcpClient fresh = await Talk.ConnectAsync(listener);
        Assert.That(await Talk.EchoAsync(fresh, "b"), Is.EqualTo("b"));
        Assert.That(await Talk.EchoAsync(old, "still"), Is.EqualTo("still"));
        Assert.That(peers.Accepted, Is.EqualTo((1, 1)));
        JsonElement backend = await BackendAsync();
        Assert.That(backend.GetProperty("connections").GetInt32(), Is.EqualTo(2), "one backend, whatever its address");
        Assert.That(backend.GetProperty("resolved_address").GetString(), Is.EqualTo($"127.0.0.42:{peers.Port}"));
    }

    [Test]
    public async Task A_name_that_does_not_resolve_is_a_backend_that_is_down_until_it_does()
    {
        using var hosts = new HostsNamespace();
        await using var peers = new TwoPeers();
        await using DaemonProcess daemon = Start(hosts, Config($"ws1.test:{peers.Port}", "health = { interval = \"50ms\", rise = 1 }"));
        await daemon.LineWithAsync($"backend chat/ws1 (ws1.test:{peers.Port}) is down: name does not resolve: ");
        await daemon.LineWithAsync("pool chat has no backend that is up");
        await daemon.ReadyAsync();
        JsonElement backend = await BackendAsync();
        Assert.That(backend.GetProperty("state").GetString(), Is.EqualTo("down"));
        Assert.That(backend.GetProperty("resolved_address").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(backend.GetProperty("health").GetProperty("detail").GetString(), Does.StartWith("name does not resolve: "));
        Assert.That(backend.GetProperty("health").GetProperty("last_probe").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(backend.GetProperty("health").GetProperty("failed").GetInt64(), Is.Zero, "it is not probed");
        Assert.That(peers.Accepted, Is.EqualTo((0, 0)));

        hosts.Say("127.0.0.41 ws1.test");
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync($"backend chat/ws1: ws1.test:{peers.Port} resolves to 127.0.0.41:{peers.Port}");
        await daemon.LineWithAsync($"backend chat/ws1 (ws1.test:{peers.Port}) is up");
        using TcpClient client = await Talk.ConnectAsync(await daemon.ListenerAsync("wss"));
        Assert.That(await Talk.EchoAsync(client, "a"), Is.EqualTo("a"));
        backend = await BackendAsync();
        Assert.That(backend.GetProperty("state").GetString(), Is.EqualTo("up"));
        Assert.That(backend.GetProperty("health").GetProperty("detail").GetString(), Is.Empty);
        Assert.That(backend.GetProperty("health").GetProperty("transitions").GetInt64(), Is.EqualTo(2));
    }

    [Test]
    public async Task A_name_whose_first_address_is_dead_comes_up_on_the_next_one()
    {
        using var hosts = new HostsNamespace();
        await using var peers = new TwoPeers();
        hosts.Say("127.0.0.40 ws1.test", "127.0.0.42 ws1.test");
        await using DaemonProcess daemon = Start(hosts, Config($"ws1.test:{peers.Port}", "health = { interval = \"1h\" }"));
        await daemon.LineWithAsync($"connects to 127.0.0.40:{peers.Port} fail; the next address of its name, 127.0.0.42:{peers.Port}, is used");
        await daemon.ReadyAsync();
        using TcpClient client = await Talk.ConnectAsync(await daemon.ListenerAsync("wss"));
        Assert.That(await Talk.EchoAsync(client, "a"), Is.EqualTo("a"));
        JsonElement backend = await BackendAsync();
        Assert.That(backend.GetProperty("state").GetString(), Is.EqualTo("up"));
        Assert.That(backend.GetProperty("resolved_address").GetString(), Is.EqualTo($"127.0.0.42:{peers.Port}"));
        Assert.That(daemon.Output, Has.None.Contains("is down"));
    }

    [Test]
    public async Task A_name_of_both_families_whose_service_listens_on_IPv6_only_comes_up()
    {
        if (!Socket.OSSupportsIPv6)
        {
            Assert.Ignore("This host has no IPv6.");
        }

        using var hosts = new HostsNamespace();
        await using var peer = new EchoPeer(IPAddress.IPv6Loopback, 0);
        hosts.Say("127.0.0.1 ws1.test", "::1 ws1.test");
        await using DaemonProcess daemon = Start(hosts, Config($"ws1.test:{peer.Endpoint.Port}", "health = { interval = \"1h\" }"));
        await daemon.LineWithAsync($"backend chat/ws1 (ws1.test:{peer.Endpoint.Port}) is up");
        await daemon.ReadyAsync();
        using TcpClient client = await Talk.ConnectAsync(await daemon.ListenerAsync("wss"));
        Assert.That(await Talk.EchoAsync(client, "a"), Is.EqualTo("a"));
    }

    [Test]
    public async Task Probes_follow_the_name()
    {
        using var hosts = new HostsNamespace();
        await using var peers = new TwoPeers();
        hosts.Say("127.0.0.43 ws1.test");
        await using DaemonProcess daemon = Start(hosts, Config($"ws1.test:{peers.Port}", "health = { interval = \"50ms\", rise = 1 }"));
        await daemon.LineWithAsync($"backend chat/ws1 (ws1.test:{peers.Port}) is down: connection refused");

        hosts.Say("127.0.0.42 ws1.test");
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync($"backend chat/ws1 (ws1.test:{peers.Port}) is up");
    }

    [Test]
    public async Task A_failing_look_up_keeps_the_last_answer_and_is_said_once()
    {
        using var hosts = new HostsNamespace();
        await using var peers = new TwoPeers();
        hosts.Say("127.0.0.41 ws1.test");
        await using DaemonProcess daemon = Start(hosts, Config($"ws1.test:{peers.Port}"));
        await daemon.ReadyAsync();

        hosts.Say();
        for (int i = 1; i <= 2; i++)
        {
            daemon.Signal(DaemonProcess.SIGHUP);
            await daemon.LineWithAsync("SIGHUP: configuration reloaded", i);
        }

        await daemon.LineWithAsync("host name ws1.test does not resolve: ");
        JsonElement backend = await BackendAsync();
        Assert.That(backend.GetProperty("state").GetString(), Is.EqualTo("up"));
        Assert.That(backend.GetProperty("resolved").GetBoolean(), Is.False);
        Assert.That(backend.GetProperty("resolve_error").GetString(), Is.Not.Empty);
        Assert.That(backend.GetProperty("resolved_address").GetString(), Is.EqualTo($"127.0.0.41:{peers.Port}"));
        using TcpClient client = await Talk.ConnectAsync(await daemon.ListenerAsync("wss"));
        Assert.That(await Talk.EchoAsync(client, "a"), Is.EqualTo("a"));
        hosts.Say("127.0.0.41 ws1.test");
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync("host name ws1.test resolves again: 127.0.0.41");
        backend = await BackendAsync();
        Assert.That((backend.GetProperty("resolved").GetBoolean(), backend.GetProperty("resolve_error").GetString()), Is.EqualTo((true, "")));
        Assert.That(daemon.Output, Has.Exactly(1).Contains("host name ws1.test does not resolve: "));
    }

    [Test]
    public async Task A_new_name_of_a_reload_is_there_when_the_file_is_in_force()
    {
        using var hosts = new HostsNamespace();
        await using var peers = new TwoPeers();
        hosts.Say("127.0.0.42 ws2.test");
        string file = DaemonProcess.ConfigFileWith(Config($"127.0.0.41:{peers.Port}"));
        await using DaemonProcess daemon = DaemonProcess.Start(new Dictionary<string, string>(), hosts.Wrapper, "run", "--config", file);
        await daemon.ReadyAsync();

        await File.WriteAllTextAsync(file, Config($"ws2.test:{peers.Port}"));
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync("generation 2");
        using TcpClient client = await Talk.ConnectAsync(await daemon.ListenerAsync("wss"));
        Assert.That(await Talk.EchoAsync(client, "a"), Is.EqualTo("a"));
        Assert.That(daemon.Output, Has.None.Contains("is down"));
        Assert.That(peers.Accepted, Is.EqualTo((0, 1)));
    }

    private static DaemonProcess Start(HostsNamespace hosts, string config) =>
        DaemonProcess.Start(new Dictionary<string, string>(), hosts.Wrapper, "run", "--config", DaemonProcess.ConfigFileWith(config));

    private Task<JsonElement> BackendAsync() => _folder.GetAsync("/v1/backends/chat/ws1");

    private string Config(string address, string pool = "health = { type = \"none\" }") => $"""
        [admin]
        socket = "{_folder.SocketPath}"
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
        {pool}
        [[pools.backends]]
        name = "ws1"
        address = "{address}"
        """;
}
