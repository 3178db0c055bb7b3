using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Tests.Peers;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Sockets that listen already are used for the address that is theirs, and for no other.</summary>
internal abstract class InheritContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    private const int LevelTcp = 6;
    private const int UserTimeout = 18;

    private readonly FakeLogCollector _log = new();

    private string[] Warnings => [.. _log.GetSnapshot().Where(r => r.Level >= Microsoft.Extensions.Logging.LogLevel.Warning).Select(r => r.Message)];

    [Test]
    public async Task A_socket_is_used_for_its_address_with_the_options_of_its_listener()
    {
        TestBackend backend = Backend();
        (int descriptor, Endpoint endpoint) = Listening("127.0.0.1");

        // It queued here before there was an engine.
        Peer early = Keep(await Peer.ConnectAsync(endpoint));
        Rig rig = Inheriting(
            backend, [descriptor], Settings.Listener(endpoint.ToString(), "127.0.0.2:0") with { Backlog = 55, UserTimeout = TimeSpan.FromSeconds(4) });

        Peer served = Keep(await backend.AcceptAsync());
        EngineSocket socket = EngineSocket.FindListening(endpoint);
        using (Assert.EnterMultipleScope())
        {
            Assert.That(rig.Engine.Bound[0], Is.EqualTo(endpoint));
            Assert.That((socket.Descriptor, socket.Backlog, socket.Option(LevelTcp, UserTimeout)), Is.EqualTo((descriptor, 55, 4000)));
            Assert.That(Warnings, Is.Empty);
        }

        await FinishAsync(early, served);
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await FinishAsync(client, server);
    }

    [Test]
    public async Task What_matches_no_bind_exactly_is_told_and_closed()
    {
        TestBackend backend = Backend();
        (int single, Endpoint endpoint) = Listening("127.0.0.1");
        (int other, Endpoint otherEndpoint) = Listening("127.0.0.3");
        int datagram = Released(new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));

        // The wildcard is another address than one of those that it covers: it cannot be bound beside a socket that is handed in for nothing.
        Endpoint wildcard = otherEndpoint with { Address = HostAddress.Any4 };
        await using IEngine engine = NewEngine(new RecordedConnections(), [single, other, datagram], Loggers());
        BalancerConfig config = Settings.Config(Settings.Pool(backend), Settings.Listener(endpoint.ToString(), wildcard.ToString()));
        IReadOnlyList<ListenFailure> failures = engine.Start(Core.Routing.RoutingSnapshot.Build(new(config, 1000)));

        using (Assert.EnterMultipleScope())
        {
            Assert.That(failures.Select(f => f.Endpoint), Is.EqualTo(new[] { wildcard }));
            Assert.That(Warnings, Has.Length.EqualTo(2));
            Assert.That(Warnings.First(), Does.Contain(otherEndpoint.ToString()));
            Assert.That(Warnings.Last(), Does.Contain($"descriptor {datagram}"));
            Assert.That(EngineSocket.TryFindListening(otherEndpoint), Is.Null);
        }
    }

    [Test]
    public async Task A_wildcard_of_IPv6_that_takes_IPv4_too_is_told_and_sees_IPv4_clients_as_such()
    {
        TestBackend backend = Backend();
        (int descriptor, Endpoint endpoint) = Listening("::", dualStack: true);
        Rig rig = Inheriting(backend, [descriptor], Settings.Listener(endpoint.ToString()));
        Assert.That(Warnings.Single(), Does.Contain(endpoint.ToString()).And.Contain("IPv4"));

        Endpoint v4 = endpoint with { Address = Settings.Address("127.0.0.1") };
        Peer client = Keep(await Peer.ConnectAsync(v4));
        Peer server = Keep(await backend.AcceptAsync());
        await Patience.Until(() => rig.Records.IsEstablished(client.Local), "it is known by its IPv4 address");
        Assert.That(rig.List().Single().Tuple.Destination, Is.EqualTo(v4));
        await FinishAsync(client, server);
    }

    [Test]
    public async Task A_socket_that_one_before_us_retired_takes_connections_again()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        (int descriptor, Endpoint endpoint) = Listening("127.0.0.1");
        int kept = Duplicate(descriptor);
        Rig first = Inheriting(backend, [descriptor], Settings.Listener(endpoint.ToString()));
        first.Publish(Settings.Config(Settings.Pool(backend), Settings.Listener("127.0.0.2:0")));
        await first.Engine.StopAsync(TimeSpan.Zero, CancellationToken.None).Soon();

        Inheriting(backend, [kept], Settings.Listener(endpoint.ToString()));

        Peer client = Keep(await Peer.ConnectAsync(endpoint));
        await client.SendAsync(new byte[1]);
        await client.ReceiveAsync(1);
    }

    private Rig Inheriting(TestBackend backend, int[] descriptors, ListenerSettings listener) =>
        Start(Settings.Pool(backend), listener, inherited: descriptors, log: Loggers());

    private LoggerFactory Loggers() => new([new FakeLoggerProvider(_log)]);

    private static (int Descriptor, Endpoint Endpoint) Listening(string address, bool dualStack = false)
    {
        var ip = IPAddress.Parse(address);
        var socket = new Socket(ip.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        if (dualStack)
        {
            socket.DualMode = true;
        }

        socket.Bind(new IPEndPoint(ip, 0));
        socket.Listen();
        Endpoint endpoint = Endpoint.From((IPEndPoint)socket.LocalEndPoint!);
        return (Released(socket), endpoint);
    }

    /// <summary>The descriptor is the engine's from now on.</summary>
    private static int Released(Socket socket)
    {
        int descriptor = Duplicate((int)socket.SafeHandle.DangerousGetHandle());
        socket.Dispose();
        return descriptor;
    }

    [System.Runtime.InteropServices.DllImport("libc", EntryPoint = "dup", SetLastError = true)]
    private static extern int Duplicate(int descriptor);
}
