using System.Net;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;

namespace L4Balancer.Engine.Tests.Ports;

/// <summary>
/// Runs in a <see cref="PortRangeNamespace"/>: uses up all ports of one source towards one backend by an engine's own connects, and takes
/// the processor time of each connect(2), those in vain included: a wait for the processor is nobody's search. Left alone the kernel needs ten
/// times as long from half of the range on.
/// </summary>
internal static class ConnectCostBody
{
    private const int MostTimesSlower = 5;
    private const int Rounds = 3;

    private static readonly Endpoint Listener = new(HostAddress.FromV4(0x7F00_0401), 6000);

    public static async Task RunAsync(string engine, int ports)
    {
        // The code's own first times are not the kernel's.
        await FillUpAsync(engine, ports / 5, new Endpoint(HostAddress.FromV4(0x7F00_0301), 7000));
        double best = double.MaxValue;
        for (int round = 0; round < Rounds && best > MostTimesSlower; round++)
        {
            // Another backend each time, towards which every port is free. The machine may be busy with something else.
            double[] micros = await FillUpAsync(engine, ports, new Endpoint(HostAddress.FromV4(0x7F00_0201 + (uint)round), 7000));
            double calm = At99(micros[(ports / 4)..(ports * 35 / 100)]);
            double scarce = At99(micros[(ports * 7 / 10)..]);
            await Console.Error.WriteLineAsync($"{engine}, p99 of connect(2): {calm:F1} us at 30% of {ports} ports, {scarce:F1} us from 70% to 100%");
            best = Math.Min(best, scarce / calm);
        }

        Assert.That(best, Is.LessThanOrEqualTo(MostTimesSlower));
    }

    private static async Task<double[]> FillUpAsync(string engine, int ports, Endpoint backend)
    {
        using var listening = new UnacceptedBackend(backend);
        return engine == "epoll"
            ? await EpollConnectCosts.FillUpAsync(ports, Snapshot(backend))
            : await ManagedConnectCosts.FillUpAsync(ports, Snapshot(backend));
    }

    private static RoutingSnapshot Snapshot(Endpoint backend)
    {
        var pool = new PoolSettings
        {
            Name = "pool",
            Health = new HealthSettings { Type = HealthType.None },
            SourceIps = [HostAddress.From(IPAddress.Parse("127.0.1.1"))],
            Backends = [new BackendSettings { Name = "b", Address = $"{backend}", Endpoint = backend }],
        };
        var listener = new ListenerSettings { Name = "in", Bind = [Listener], Pool = "pool" };
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new(new BalancerConfig { Listeners = [listener], Pools = [pool] }, MaxConnections: 100_000));
        snapshot.Ports.Supply.Range = PortRange.Parse(File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range"), "");
        return snapshot;
    }

    private static double At99(double[] micros)
    {
        Array.Sort(micros);
        return micros[(int)(micros.Length * 0.99)];
    }
}
