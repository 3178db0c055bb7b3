using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Probing;
using L4Balancer.Engine.Sockets;
using L4Balancer.Engine.Tests.Probing;

namespace L4Balancer.Engine.Tests.Ports;

/// <summary>Runs in a <see cref="PortRangeNamespace"/>: a backend towards which every port is taken is not blamed by its probes.</summary>
internal static class ProbeWithoutPortBody
{
    public static async Task RunAsync()
    {
        HostAddress source = ProbedPool.Address("127.0.1.1");
        using var backend = new GreetingBackend(new IPEndPoint(IPAddress.Parse("127.0.2.1"), 7000));
        List<Socket> held = [];
        for (int i = 0; i < PortRangeNamespace.Ports; i++)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            held.Add(socket);
            Assert.That(SourceBinding.Bind(socket, source), Is.Null);
            await socket.ConnectAsync(backend.Endpoint.ToIPEndPoint());
        }

        var log = new ReportLog();
        await using var prober = new Prober(TimeProvider.System, new Random(7), log.Take);
        RoutingSnapshot snapshot = ProbedPool.Snapshot(ProbedPool.Quick, [source], ProbedPool.Named(backend.Endpoint), null);
        prober.Publish(snapshot);
        for (int i = 0; i < 4; i++)
        {
            ProbeReport report = log.Next();
            Assert.That((report.Outcome, report.Detail), Is.EqualTo((ProbeOutcome.LocalError, "no free local port")));
        }

        Assert.That(snapshot.IsDown(0), Is.False);
        held.ForEach(s => s.Dispose());
    }
}
