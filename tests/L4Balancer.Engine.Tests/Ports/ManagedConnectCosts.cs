using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Managed;

namespace L4Balancer.Engine.Tests.Ports;

/// <summary>
/// The connects of the managed engine, one after the other, without its clients. The framework calls connect(2) before it gives control
/// back for the first time: what the thread does before that is timed.
/// </summary>
internal static class ManagedConnectCosts
{
    /// <returns>Microseconds of processor time of each of so many connections.</returns>
    public static async Task<double[]> FillUpAsync(int ports, RoutingSnapshot snapshot)
    {
        var client = new FourTuple(new Endpoint(HostAddress.FromV4(0xC000_0201), 1234), new Endpoint(HostAddress.FromV4(0xC000_0202), 80));
        List<Socket> open = [];
        var micros = new double[ports];
        for (int i = 0; i < ports; i++)
        {
            ConnectionSetup setup = default;
            ConnectionRecord record = default;
            SetupStep step = setup.Accepted(ref record, snapshot, snapshot.Listeners[0], client, Now());
            while (step.Action != SetupAction.Relay)
            {
                Assert.That(step.Action, Is.EqualTo(SetupAction.Connect), $"at port {i} of {ports}: {step.Reason}");
                var clock = new ThreadClock();
                clock.Begin();
                TimeSpan start = clock.Total;
                Task<ConnectResult> connecting = BackendConnector.ConnectAsync(
                    step, setup.PoolSettings, snapshot.Ports.Supply, CancellationToken.None, CancellationToken.None);
                micros[i] += (clock.Total - start).TotalMicroseconds;
                ConnectResult result = await connecting;
                if (result.Socket is null)
                {
                    step = setup.ConnectFailed(ref record, result.Failure!.Value, Now());
                    continue;
                }

                step = setup.Connected(ref record, result.LocalEndpoint, Now());
                open.Add(result.Socket);
            }
        }

        open.ForEach(s => s.Dispose());
        return micros;
    }

    private static Instant Now() => Instant.Now(TimeProvider.System);
}
