using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Dns;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Listening;
using L4Balancer.NameServer;
using L4Balancer.Tests.Web;
using L4Balancer.Web;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.NameServer;

/// <summary>What clients of DNS see when it pauses, resumes, and when another process takes its place.</summary>
[Platform("Linux")]
[SupportedOSPlatform("linux")]
[CancelAfter(120_000)]
internal sealed class PausedZoneTests
{
    private ControlSockets _sockets = null!;
    private ZoneServer _first = null!;

    [SetUp]
    public async Task Start_one()
    {
        _sockets = new ControlSockets([], NullLogger.Instance);
        _first = await StartAsync(_sockets, "192.0.2.1");
    }

    [TearDown]
    public async Task End_it()
    {
        await _first.DisposeAsync();
        _sockets.Dispose();
    }

    [Test]
    public async Task No_question_over_UDP_is_lost()
    {
        IPEndPoint server = Server(SocketType.Dgram);
        using var client = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        client.Connect(server);
        await AskAsync(3);
        await _first.PauseAsync();
        await client.SendAsync(ZoneScene.Question("lb.example.com"));
        Assert.That(client.Client.Poll(0, SelectMode.SelectRead), Is.False);
        _first.Resume();
        Assert.That(await AnswerAsync(), Is.EqualTo("192.0.2.1"));
        await AskAsync(3);

        // Questions that wait over the change are answered by the next one.
        await _first.PauseAsync();
        for (int i = 0; i < 20; i++)
        {
            await client.SendAsync(ZoneScene.Question("lb.example.com"));
        }

        using ControlSockets handed = NumberedHost.HandedOver(_sockets);
        await using ZoneServer second = await StartAsync(handed, "192.0.2.2");
        await _first.DisposeAsync();
        for (int i = 0; i < 20; i++)
        {
            Assert.That(await AnswerAsync(), Is.EqualTo("192.0.2.2"));
        }

        async Task AskAsync(int count)
        {
            for (int i = 0; i < count; i++)
            {
                await client.SendAsync(ZoneScene.Question("lb.example.com"));
                Assert.That(await AnswerAsync(), Is.EqualTo("192.0.2.1"));
            }
        }

        async Task<string> AnswerAsync() =>
            ZoneScene.Addresses((await client.ReceiveAsync().WaitAsync(DaemonProcess.Deadline)).Buffer).Single();
    }

    [Test]
    public async Task A_connection_ends_between_two_questions_and_the_next_one_is_answered_after_the_pause()
    {
        using TcpClient before = await Talk.ConnectAsync(Server(SocketType.Stream));
        Assert.That(await AskAsync(before), Is.EqualTo("192.0.2.1"));
        await _first.PauseAsync();
        Assert.That(await before.GetStream().ReadAsync(new byte[1]).AsTask().WaitAsync(DaemonProcess.Deadline), Is.Zero);
        using TcpClient during = await Talk.ConnectAsync(Server(SocketType.Stream));
        Task<string> waiting = AskAsync(during);
        Assert.That(waiting.IsCompleted, Is.False);
        using ControlSockets handed = NumberedHost.HandedOver(_sockets);
        await using ZoneServer second = await StartAsync(handed, "192.0.2.2");
        await _first.DisposeAsync();
        Assert.That(await waiting, Is.EqualTo("192.0.2.2"));
    }

    private static async Task<ZoneServer> StartAsync(ControlSockets sockets, string address)
    {
        Assert.That(HostAddress.TryParse(address, out HostAddress parsed));
        var settings = new DnsSettings
        {
            Listen = [new Endpoint(HostAddress.From(IPAddress.Loopback), 0)],
            Zone = "lb.example.com",
            Address = [parsed],
        };
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new DesiredState(new BalancerConfig(), 10));
        var view = new DnsView(() => snapshot, () => settings, new OwnAddresses(() => settings), TimeProvider.System);
        return await ZoneServer.StartAsync(
            () => settings, view, new DnsCounters(), seed: 1, TimeProvider.System, sockets, NullLoggerFactory.Instance);
    }

    private IPEndPoint Server(SocketType type) => type == SocketType.Dgram
        ? BoundSocket.Udp(DescriptorOf(ControlSockets.DnsUdp))!.Value.ToIPEndPoint()
        : BoundSocket.Tcp(DescriptorOf(ControlSockets.DnsTcp))!.Value.ToIPEndPoint();

    private int DescriptorOf(string kind) => _sockets.All.Single(s => s.Name == kind + "0").Descriptor;

    private static async Task<string> AskAsync(TcpClient client)
    {
        byte[] question = ZoneScene.Question("lb.example.com");
        var length = new byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)question.Length);
        await client.GetStream().WriteAsync((byte[])[.. length, .. question]);
        await client.GetStream().ReadExactlyAsync(length).AsTask().WaitAsync(DaemonProcess.Deadline);
        var answer = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
        await client.GetStream().ReadExactlyAsync(answer).AsTask().WaitAsync(DaemonProcess.Deadline);
        return ZoneScene.Addresses(answer).Single();
    }
}
