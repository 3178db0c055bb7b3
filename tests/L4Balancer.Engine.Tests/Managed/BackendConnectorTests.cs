using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Managed;
using L4Balancer.Engine.Sockets;
using L4Balancer.Engine.Tests.Probing;

namespace L4Balancer.Engine.Tests.Managed;

/// <summary>What one attempt makes of errors that come before connect(2).</summary>
public sealed class BackendConnectorTests
{
    // ip(7), IP_LOCAL_PORT_RANGE: EINVAL where the last port is below the first.
    private static readonly PortWindow Impossible = new(50_000, 40_000);

    [Test]
    public async Task An_option_that_the_kernel_does_not_take_is_a_shortage_of_ours()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        var ports = new PortSupply();
        Assert.That(SourceBinding.LimitPorts(probe, new PortWindow(40_000, 50_000), ports), Is.Null);
        if (!ports.HasWindows)
        {
            Assert.Ignore("No windows of ports before Linux 6.3.");
        }

        using TestBackend backend = TestBackend.Silent();
        var step = new SetupStep(SetupAction.Connect, CloseReason.None, null, backend.Endpoint, Instant.Never) { Window = Impossible };

        ConnectResult result = await BackendConnector.ConnectAsync(
            step, new PoolSettings { Name = "p" }, ports, CancellationToken.None, CancellationToken.None);

        Assert.That(result, Is.EqualTo(new ConnectResult(null, default, ConnectFailure.LocalShortage)));
    }
}
