using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Packets;

namespace L4Balancer.Engine.Tests.Packets;

/// <summary>The packet tier between hosts in namespaces, from the program's attachment to its removal.</summary>
[TestFixture]
[SupportedOSPlatform("linux")]
internal sealed class PacketPlaneTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private PlaneScene _scene = null!;
    private PacketPlane? _plane;
    private Process? _victim;
    private CancellationTokenSource _deadline = null!;

    [OneTimeSetUp]
    public void Build()
    {
        _scene = PlaneScene.Start();
        IReadOnlyList<string> missing = PacketPlane.WhyNot(_scene.Folder);
        if (missing.Count > 0)
        {
            Assert.Ignore(string.Join("; ", missing));
        }
    }

    [OneTimeTearDown]
    public void TearDownScene() => _scene?.Dispose();

    [SetUp]
    public void SetDeadline() => _deadline = new CancellationTokenSource(Patience);

    [TearDown]
    public void Stop()
    {
        _victim?.Kill();
        _victim?.Dispose();
        _victim = null;
        _scene.CloseClients();
        _ = _scene.AtBalancer(() =>
        {
            _plane?.Stop();
            return PacketPlane.Remove(_scene.Folder);
        });
        _plane?.Dispose();
        _plane = null;
        _deadline.Dispose();
    }

    [TestCase(AttachMode.Generic, "XDP generic on eth0")]
    [TestCase(AttachMode.Native, "XDP native on eth0")]
    [TestCase(AttachMode.Tcx, "tcx on eth0")]
    [TestCase(AttachMode.Classifier, "tc (clsact) on eth0")]
    public async Task Connections_go_to_the_backends_that_Core_chooses(AttachMode mode, string attachment)
    {
        if (mode == AttachMode.Native)
        {
            _scene.MakePortLikeACard();
        }

        _plane = _scene.StartPlane(mode, PlaneScene.Listener(i => i != 3));
        await WaitForNeighboursAsync();
        FlatTable table = PlaneScene.Choice(i => i != 3).Table;
        foreach (bool isSix in new[] { false, true })
        {
            Socket[] clients = _scene.OpenClients(100, isSix);
            int[] chosen = await Task.WhenAll(clients.Select(c => PlaneScene.ConnectAsync(c, _deadline.Token)));
            await Task.WhenAll(clients.Select(c => PlaneScene.TalkAsync(c, 5_000, _deadline.Token)));
            Assert.That(chosen, Is.EqualTo(clients.Select(c => table.Pick(KeyOf(c)))));
        }

        PacketReading reading = _scene.AtBalancer(_plane.Read);
        Assert.That((reading.Listeners[0].Listener, reading.Listeners[0].Attachment), Is.EqualTo(("packets", attachment)));
        Assert.That(reading.Listeners[0].Flows, Is.AtLeast(200));
        Assert.That(reading.Backends.Select(b => b.Packets > 10 && b.Bytes > 10_000), Is.EqualTo(Enumerable.Range(0, 8).Select(i => i != 3)));
        Assert.That(reading.Drops.Sum(d => d.Packets), Is.Zero);
    }

    [Test]
    public async Task Program_outlives_a_killed_process_and_the_next_one_takes_it_over([Values] AttachMode mode)
    {
        if (mode == AttachMode.Native)
        {
            _scene.MakePortLikeACard();
        }

        Process victim = await StartVictimAsync(mode);
        Socket client = _scene.OpenClients(1)[0];
        int before = await PlaneScene.ConnectAsync(client, _deadline.Token);
        victim.Kill();
        await victim.WaitForExitAsync(_deadline.Token);
        await PlaneScene.TalkAsync(client, 100, _deadline.Token);
        Socket meanwhile = _scene.OpenClients(1)[0];
        _ = await PlaneScene.ConnectAsync(meanwhile, _deadline.Token);

        // The backends of both take no new flows, and the next process says so from its first moment on.
        _plane = _scene.StartPlane(mode, PlaneScene.Listener(i => i != before));
        await PlaneScene.TalkAsync(client, 100, _deadline.Token);
        await PlaneScene.TalkAsync(meanwhile, 100, _deadline.Token);
        Socket[] later = _scene.OpenClients(50);
        Assert.That(await Task.WhenAll(later.Select(c => PlaneScene.ConnectAsync(c, _deadline.Token))), Has.None.EqualTo(before));
        PacketReading reading = _scene.AtBalancer(_plane.Read);
        Assert.That(reading.Listeners[0].Flows, Is.AtLeast(52));
        Assert.That(reading.Backends[before].Packets, Is.GreaterThan(4), "counters go on");

        _ = _scene.AtBalancer(() =>
        {
            _plane.Stop();
            return 0;
        });
        Assert.That(Directory.Exists(_scene.Folder), Is.False);
        Assert.That(_scene.ReadInterface().Xdp, Is.Zero);
        Assert.That(await IsSilentAsync(client), "after a stop in good order packets are not sent on");
    }

    [Test]
    public async Task Other_MAC_address_of_a_backend_is_followed()
    {
        _plane = _scene.StartPlane(AttachMode.Generic, PlaneScene.Listener(i => i == 6));
        await WaitForNeighboursAsync();
        Socket client = _scene.OpenClients(1)[0];
        Assert.That(await PlaneScene.ConnectAsync(client, _deadline.Token), Is.EqualTo(6));
        string? before = MacOf(6);
        _scene.ShellAtBackend(6, "ip link set eth0 address 02:00:00:00:88:06");
        await PlaneScene.TalkAsync(client, 100, _deadline.Token);
        Assert.That(MacOf(6), Is.EqualTo("02:00:00:00:88:06").And.Not.EqualTo(before));
    }

    [Test]
    public async Task Interface_that_comes_back_as_another_is_attached_to_again([Values(AttachMode.Generic, AttachMode.Tcx)] AttachMode mode)
    {
        _plane = _scene.StartPlane(mode, PlaneScene.Listener());
        await WaitForNeighboursAsync();
        Socket client = _scene.OpenClients(1)[0];
        _ = await PlaneScene.ConnectAsync(client, _deadline.Token);
        _scene.RemoveInterface();
        _scene.AddInterface();
        await PlaneScene.TalkAsync(client, 100, _deadline.Token);
    }

    [Test]
    public async Task Interface_that_is_away_for_a_while_is_said_once_and_its_flows_go_on_when_it_is_back()
    {
        _scene.Log.Clear();
        _plane = _scene.StartPlane(AttachMode.Generic, PlaneScene.Listener());
        await WaitForNeighboursAsync();
        Socket client = _scene.OpenClients(1)[0];
        _ = await PlaneScene.ConnectAsync(client, _deadline.Token);
        Assert.That(Attached, Is.EqualTo("XDP generic on eth0"));
        _scene.RemoveInterface();
        await UntilAsync(() => Attached.Length == 0, "it is not attached");

        // A reload meanwhile changes what will be in force.
        _ = _scene.AtBalancer(() =>
        {
            _plane.Configure([PlaneScene.Listener(i => i == 2)]);
            return 0;
        });
        Assert.That(Attached, Is.Empty);
        _scene.AddInterface();
        await UntilAsync(() => Attached.Length > 0, "it is attached again");
        await WaitForNeighboursAsync();
        await PlaneScene.TalkAsync(client, 100, _deadline.Token);
        Assert.That(await PlaneScene.ConnectAsync(_scene.OpenClients(1)[0], _deadline.Token), Is.EqualTo(2));
        Assert.That(Attached, Is.EqualTo("XDP generic on eth0"));
        Assert.That(_scene.Log.Count("interface eth0 is not there any more"), Is.EqualTo(1));
        Assert.That(_scene.Log.Count("packets are taken by XDP generic on eth0"), Is.EqualTo(2));
    }

    [Test]
    public async Task Program_that_another_has_taken_the_place_of_is_attached_again_once_that_is_free()
    {
        _scene.Log.Clear();
        _plane = _scene.StartPlane(AttachMode.Generic, PlaneScene.Listener());
        await WaitForNeighboursAsync();
        Socket client = _scene.OpenClients(1)[0];
        _ = await PlaneScene.ConnectAsync(client, _deadline.Token);
        int link = _scene.UsurpInterface();
        await UntilAsync(() => _scene.Log.Count("is tried again every 1 s") > 0, "it cannot be attached");
        Assert.That(Attached, Is.Empty);
        Assert.That(_scene.Log.Count("another process has detached the program"), Is.EqualTo(1));
        TcpSocket.Close(link);
        await UntilAsync(() => Attached.Length > 0, "it is attached again");
        await PlaneScene.TalkAsync(client, 100, _deadline.Token);
        Assert.That(_scene.Log.Count("is tried again every 1 s"), Is.EqualTo(1), "said once");
    }

    [Test]
    public async Task Flows_stay_when_the_maps_become_larger()
    {
        _plane = _scene.StartPlane(AttachMode.Generic, PlaneScene.Listener());
        await WaitForNeighboursAsync();
        Socket[] clients = _scene.OpenClients(50);
        int[] chosen = await Task.WhenAll(clients.Select(c => PlaneScene.ConnectAsync(c, _deadline.Token)));
        int one = chosen[0];
        _ = _scene.AtBalancer(() =>
        {
            _plane.Configure([PlaneScene.Listener(i => i == one, flows: 30_000)]);
            return 0;
        });
        await Task.WhenAll(clients.Select(c => PlaneScene.TalkAsync(c, 100, _deadline.Token)));
        Assert.That(_scene.AtBalancer(_plane.Read).Listeners[0].Flows, Is.AtLeast(50));
        Socket[] later = _scene.OpenClients(10);
        Assert.That(await Task.WhenAll(later.Select(c => PlaneScene.ConnectAsync(c, _deadline.Token))), Has.All.EqualTo(one));
    }

    [Test]
    public async Task Backend_that_is_no_target_any_more_keeps_its_flows_and_one_that_keeps_none_loses_them()
    {
        _plane = _scene.StartPlane(AttachMode.Generic, PlaneScene.Listener());
        await WaitForNeighboursAsync();
        Socket[] clients = _scene.OpenClients(60);
        int[] chosen = await Task.WhenAll(clients.Select(c => PlaneScene.ConnectAsync(c, _deadline.Token)));
        Publish(PlaneScene.Choice(backends: 7));
        await Task.WhenAll(clients.Select(c => PlaneScene.TalkAsync(c, 100, _deadline.Token)));

        PacketChoice choice = PlaneScene.Choice(i => i != 0, backends: 7);
        Publish(choice with { Targets = choice.Targets.SetItem(0, choice.Targets[0] with { KeepsFlows = false }) });
        foreach ((Socket client, int backend) in clients.Zip(chosen))
        {
            if (backend == 0)
            {
                Assert.ThrowsAsync<SocketException>(() => PlaneScene.TalkAsync(client, 100, _deadline.Token), "another backend resets it");
            }
            else
            {
                await PlaneScene.TalkAsync(client, 100, _deadline.Token);
            }
        }
    }

    [Test]
    public async Task Five_thousand_connections_deliver_their_bytes()
    {
        const int connections = 5_000, wave = 500;
        _plane = _scene.StartPlane(AttachMode.Generic, PlaneScene.Listener());
        await WaitForNeighboursAsync();
        int[] counts = new int[PlaneScene.Backends];
        var watch = Stopwatch.StartNew();
        for (int i = 0; i < connections; i += wave)
        {
            Socket[] clients = _scene.OpenClients(wave);
            foreach (int backend in await Task.WhenAll(clients.Select(c => PlaneScene.ConnectAsync(c, _deadline.Token))))
            {
                counts[backend]++;
            }

            await Task.WhenAll(clients.Select(c => PlaneScene.TalkAsync(c, 1_000, _deadline.Token)));
            foreach (Socket client in clients)
            {
                client.Dispose();
            }
        }

        PacketReading reading = _scene.AtBalancer(_plane.Read);
        TestContext.Out.WriteLine(
            $"{watch.Elapsed.TotalSeconds:0.0} s; by backend {string.Join(", ", counts)}; {reading.Backends.Sum(b => b.Packets)} packets, "
            + $"{reading.Backends.Sum(b => b.Bytes)} bytes, {reading.Listeners[0].Flows} flows");
        Assert.That(counts, Has.All.InRange(connections / 8 * 0.7, connections / 8 * 1.3));
        Assert.That(reading.Drops.Sum(d => d.Packets), Is.Zero);
    }

    [Test]
    public void Interface_that_is_not_there_is_refused_and_leaves_nothing_behind()
    {
        var fault = Assert.Throws<InvalidOperationException>(
            () => _scene.StartPlane(AttachMode.Generic, PlaneScene.Listener() with { Interface = "eth7" }));
        Assert.That(fault!.InnerException, Is.TypeOf<PacketFaultException>().With.Message.Contains("interface eth7"));
        Assert.That(Directory.EnumerateDirectories(_scene.Folder), Is.Empty);
    }

    private async Task WaitForNeighboursAsync()
    {
        while (_scene.AtBalancer(_plane!.Read).Backends.Any(b => b.Mac is null))
        {
            await Task.Delay(10, _deadline.Token);
        }
    }

    private string Attached => _scene.AtBalancer(_plane!.Read).Listeners[0].Attachment;

    private async Task UntilAsync(Func<bool> condition, string what)
    {
        while (!condition())
        {
            Assert.That(_deadline.IsCancellationRequested, Is.False, what);
            await Task.Delay(10);
        }
    }

    private string? MacOf(int backend) => _scene.AtBalancer(_plane!.Read).Backends[backend].Mac;

    private void Publish(PacketChoice choice) => _ = _scene.AtBalancer(() =>
    {
        _plane!.Publish("packets", choice);
        return 0;
    });

    private async Task<Process> StartVictimAsync(AttachMode mode)
    {
        string dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        var start = new ProcessStartInfo(
            "nsenter",
            [
                "-t", $"{_scene.BalancerProcess}", "-n", dotnet, "exec", typeof(PacketPlaneTests).Assembly.Location,
                "packet-victim", _scene.Folder, $"{mode}",
            ])
        { RedirectStandardOutput = true, RedirectStandardError = true };
        Process victim = _victim = Process.Start(start)!;
        string? line = await victim.StandardOutput.ReadLineAsync(_deadline.Token);
        Assert.That(line, Is.EqualTo(PacketVictimBody.Ready), () => victim.StandardError.ReadToEnd());
        return victim;
    }

    private static async Task<bool> IsSilentAsync(Socket client)
    {
        using var shortly = new CancellationTokenSource(300);
        try
        {
            await PlaneScene.TalkAsync(client, 1, shortly.Token);
            return false;
        }
        catch (OperationCanceledException)
        {
            return true;
        }
    }

    private static RouteKey KeyOf(Socket client)
    {
        var source = (IPEndPoint)client.LocalEndPoint!;
        Endpoint service = PlaneScene.Virtual[client.AddressFamily == AddressFamily.InterNetwork ? 0 : 1];
        byte[] key = new byte[KeyHashCode.TupleLength];
        HostAddress.From(source.Address).WriteTo(key);
        BinaryPrimitives.WriteUInt16BigEndian(key.AsSpan(16), (ushort)source.Port);
        service.Address.WriteTo(key.AsSpan(18));
        BinaryPrimitives.WriteUInt16BigEndian(key.AsSpan(34), service.Port);
        return new RouteKey(key);
    }
}
