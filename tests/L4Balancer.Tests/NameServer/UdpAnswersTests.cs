using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Dns;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Linux;
using L4Balancer.NameServer;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.NameServer;

/// <summary>The thread that answers over UDP.</summary>
[Platform("Linux")]
[SupportedOSPlatform("linux")]
internal sealed class UdpAnswersTests
{
    [Test]
    public async Task An_exception_costs_one_question_its_answer_and_not_the_process()
    {
        var settings = new DnsSettings { Zone = "lb.example.com", Address = [HostAddress.FromV4(0xC000_020A)] };
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new DesiredState(new BalancerConfig(), 10));
        var view = new DnsView(() => snapshot, () => settings, new OwnAddresses(() => settings), TimeProvider.System);
        var counters = new DnsCounters();
        int asked = 0;
        using DatagramSocket socket = DatagramSocket.Bind(new Endpoint(HostAddress.FromV4(0x7F00_0001), 0), UdpAnswers.Patience);
        var server = new UdpAnswers(
            socket,
            new Answering(view, counters, 1, TimeProvider.System, NullLogger.Instance),
            () => ++asked == 1 ? throw new InvalidOperationException("a bug") : 0);
        server.Start();
        using var client = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        client.Connect(server.Bound.ToIPEndPoint());
        await client.SendAsync(ZoneScene.Question("nobody.lb.example.com"));
        await client.SendAsync(ZoneScene.Question("lb.example.com"));
        byte[] first = (await client.ReceiveAsync().WaitAsync(DaemonProcess.Deadline)).Buffer;
        Assert.That(ZoneScene.Addresses(first), Is.EqualTo(new[] { "192.0.2.10" }), "the answer to the second");
        Assert.That(counters[DnsResult.Ignored], Is.EqualTo(1));
        server.Stop();
    }
}
