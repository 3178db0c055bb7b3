using System.Net;
using System.Net.Sockets;
using System.Text;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Tests.Peers;
using L4Balancer.Engine.Tests.Ports;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Testing;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Runs in the namespaces of <see cref="TransparentContract"/>, one process for each part.</summary>
internal static class TransparentBody
{
    private const int Port = 7000;

    private static readonly (string Listener, string Backend, string Client)[] Families =
        [("10.98.1.1:7000", "10.98.2.11:7000", "10.98.1.21"), ("[fd00:98:1::1]:7000", "[fd00:98:2::11]:7000", "fd00:98:1::21")];

    public static Task RunAsync(string engine, string role) => role switch
    {
        "backend" => ServeAsync(),
        "balancer" => BalanceAsync(engine),
        "client" => VisitAsync(),
        "ports" => HoldNoPortAsync(engine),
        "local-failure" => FailLocallyAsync(engine),
        _ => BeDeniedAsync(engine),
    };

    // Answers with the address that it sees.
    private static async Task ServeAsync()
    {
        using var socket = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true };
        socket.Bind(new IPEndPoint(IPAddress.IPv6Any, Port));
        socket.Listen();
        while (true)
        {
            using Socket one = await socket.AcceptAsync();
            IPAddress seen = ((IPEndPoint)one.RemoteEndPoint!).Address;
            await one.SendAsync(Encoding.ASCII.GetBytes((seen.IsIPv4MappedToIPv6 ? seen.MapToIPv4() : seen).ToString()));
        }
    }

    private static async Task BalanceAsync(string engineName)
    {
        var config = new BalancerConfig
        {
            Listeners = [.. Families.Select((f, i) => Settings.Listener(f.Listener) with { Name = $"l{i}", Pool = $"p{i}" })],
            Pools = [.. Families.Select((f, i) => Pool($"p{i}", f.Backend))],
        };
        var options = new EngineOptions
        {
            Clock = TimeProvider.System,
            Records = new RecordedConnections(),
            Loggers = NullLoggerFactory.Instance,
            Workers = 1,
        };
        await using IEngine engine = EngineUnderTest.Create(engineName, options);
        Assert.That(engine.Start(RoutingSnapshot.Build(new(config, 1000))), Is.Empty);

        // It serves until its process is killed.
        await Task.Delay(Timeout.Infinite);
    }

    private static async Task VisitAsync()
    {
        foreach ((string listener, _, string client) in Families)
        {
            for (int i = 0; i < 3; i++)
            {
                using Peer peer = await ConnectAsync(Settings.Endpoint(listener));
                byte[] buffer = new byte[100];
                int count = await peer.Socket.ReceiveAsync(buffer.AsMemory()).Soon();
                Assert.That(Encoding.ASCII.GetString(buffer, 0, count), Is.EqualTo(client));
            }
        }
    }

    // The other two processes start at the same time: until the balancer listens and the backend does, clients are refused.
    private static async Task<Peer> ConnectAsync(Core.Addressing.Endpoint to)
    {
        for (int attempt = 0; ; attempt++)
        {
            Peer? peer = null;
            try
            {
                peer = await Peer.ConnectAsync(to);
                byte[] one = new byte[1];
                if (await peer.Socket.ReceiveAsync(one.AsMemory(), SocketFlags.Peek).Soon() == 1)
                {
                    return peer;
                }

                Assert.That(attempt, Is.LessThan(100), $"{to} accepts, but nothing comes from a backend");
            }
            catch (SocketException) when (attempt < 100)
            {
            }

            peer?.Dispose();

            // The pace of the attempts.
            await Task.Delay(100);
        }
    }

    private static async Task HoldNoPortAsync(string engineName)
    {
        using TestBackend backend = TestBackend.Listening("127.0.0.2");
        await using Rig rig = Start(
            engineName, Pool("pool", backend.Endpoint.ToString()), Settings.Listener("127.0.0.1:0"), new FakeLogCollector());
        Core.Ports.PortUse ports = rig.Pool.Backends[0].Sources[0];
        using (Peer client = await Peer.ConnectAsync(rig.Address))
        {
            using Peer server = await backend.AcceptAsync();
            await Patience.Until(() => rig.Records.IsEstablished(client.Local), "it is established");
            Assert.That((server.Remote.Address, ports.Held), Is.EqualTo((client.Local.Address, 0)));
        }

        await rig.AtRestAsync();
        Assert.That((ports.Held, rig.Backend().ConnectFailures.Total), Is.EqualTo((0, 0L)));
        await StopAsync(rig);
    }

    // From 127.0.0.1 there is no way to another host: connect(2), EINVAL. A link-local address needs a device: bind(2), EINVAL.
    private static async Task FailLocallyAsync(string engineName)
    {
        foreach ((string backend, string client) in new[] { ("10.98.2.11:7000", "127.0.0.1"), ("[fd00:98:2::11]:7000", "fe80::1") })
        {
            var log = new FakeLogCollector();
            PoolSettings pool = Pool("pool", backend);
            pool = pool with { Passive = pool.Passive with { Failures = 1 }, ConnectTimeout = TimeSpan.FromSeconds(30) };
            ListenerSettings listener = Settings.Listener("127.0.0.1:0") with
            {
                AcceptProxyFrom = [Core.Addressing.Cidr.TryParse("127.0.0.0/8", out Core.Addressing.Cidr range) ? range : default],
            };
            await using Rig rig = Start(engineName, pool, listener, log);
            string addresses = client.Contains(':', StringComparison.Ordinal) ? $"TCP6 {client} ::1" : $"TCP4 {client} 127.0.0.1";
            byte[] header = Encoding.ASCII.GetBytes($"PROXY {addresses} 5 6\r\n");
            for (int i = 0; i < 3; i++)
            {
                using Peer peer = await Peer.ConnectAsync(rig.Address);
                await peer.SendAsync(header);
                ConnectionRecord end = await rig.Records.NextEndAsync();
                Assert.That((end.Reason, end.Attempts), Is.EqualTo((CloseReason.ConnectFailed, 0)), client);
            }

            Assert.That(rig.Backend().ConnectFailures.Total, Is.Zero, "no backend is at fault");
            Assert.That(rig.Pool.HasAvailable, Is.True, "nor is it down");
            Assert.That(log.GetSnapshot().Single().Message, Does.Contain("pool pool").And.Match("EINVAL|InvalidArgument"));
            await StopAsync(rig);
        }
    }

    private static Rig Start(string engineName, PoolSettings pool, ListenerSettings listener, FakeLogCollector log)
    {
        var records = new RecordedConnections();
        var options = new EngineOptions
        {
            Clock = TimeProvider.System,
            Records = records,
            Workers = 1,
            Loggers = new LoggerFactory(
                [new FakeLoggerProvider(log)], new LoggerFilterOptions { MinLevel = Microsoft.Extensions.Logging.LogLevel.Warning }),
        };
        var rig = new Rig(
            EngineUnderTest.Create(engineName, options), RoutingSnapshot.Build(new(Settings.Config(pool, listener), 1000)), records);
        Assert.That(rig.Start(), Is.Empty);
        return rig;
    }

    private static async Task StopAsync(Rig rig)
    {
        await rig.Engine.StopAsync(TimeSpan.Zero, new CancellationToken(canceled: true)).Soon();
        rig.AssertBooksBalance();
    }

    private static async Task BeDeniedAsync(string engineName)
    {
        using TestBackend backend = TestBackend.Listening();
        var log = new FakeLogCollector();
        await using Rig rig = Start(engineName, Pool("pool", backend.Endpoint.ToString()), Settings.Listener("127.0.0.1:0"), log);
        for (int i = 0; i < 3; i++)
        {
            try
            {
                using Peer client = await Peer.ConnectAsync(rig.Address);
                Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Reset));
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
            {
            }

            ConnectionRecord end = await rig.Records.NextEndAsync();
            Assert.That((end.Reason, end.Attempts), Is.EqualTo((CloseReason.ConnectFailed, 0)));
        }

        Assert.That(backend.HasWaiting, Is.False);
        Assert.That(rig.Backend().ConnectFailures.Total, Is.Zero, "no backend is at fault");
        Assert.That(log.GetSnapshot().Single().Message, Does.Contain("CAP_NET_ADMIN").And.Contain("pool pool"));
        await StopAsync(rig);
    }

    private static PoolSettings Pool(string name, string backend) => new()
    {
        Name = name,
        Transparent = true,
        Health = new HealthSettings { Type = HealthType.None },
        Backends = [new BackendSettings { Name = "b", Address = backend, Endpoint = Settings.Endpoint(backend) }],
    };
}
