using System.Diagnostics;
using System.Net;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Tests.Ports;

/// <summary>
/// Runs in a <see cref="PortRangeNamespace"/>: uses up all ports of one source towards one backend, by the steps that Core asks of every
/// engine, and takes the time of each connect(2), those in vain included. Left alone the kernel needs twenty times as long from half of
/// the range on.
/// </summary>
internal static class ConnectCostBody
{
    private const int MostTimesSlower = 5;
    private const int Rounds = 3;

    private static readonly FourTuple Client = new(new Endpoint(HostAddress.FromV4(0xC000_0201), 1234), new Endpoint(HostAddress.FromV4(0xC000_0202), 80));

    public static void Run(int ports)
    {
        // The code's own first times are not the kernel's.
        FillUp(ports / 5, new Endpoint(HostAddress.FromV4(0x7F00_0301), 7000));
        double best = double.MaxValue;
        for (int round = 0; round < Rounds && best > MostTimesSlower; round++)
        {
            // Another backend each time, towards which every port is free. The machine may be busy with something else.
            double[] micros = FillUp(ports, new Endpoint(HostAddress.FromV4(0x7F00_0201 + (uint)round), 7000));
            double calm = At99(micros[(ports / 4)..(ports * 35 / 100)]);
            double scarce = At99(micros[(ports * 7 / 10)..]);
            Console.Error.WriteLine($"p99 of connect(2): {calm:F1} us at 30% of {ports} ports, {scarce:F1} us from 70% to 100%");
            best = Math.Min(best, scarce / calm);
        }

        Assert.That(best, Is.LessThanOrEqualTo(MostTimesSlower));
    }

    private static double[] FillUp(int ports, Endpoint backend)
    {
        RoutingSnapshot snapshot = Snapshot(backend);
        int listening = TcpSocket.Open(backend.Address).Value;
        Assert.That(TcpSocket.Bind(listening, backend).IsError, Is.False);
        Assert.That(TcpSocket.Listen(listening, 100).IsError, Is.False);
        List<int> open = [listening];
        var micros = new double[ports];
        for (int i = 0; i < ports; i++)
        {
            ConnectionSetup setup = default;
            ConnectionRecord record = default;
            SetupStep step = setup.Accepted(ref record, snapshot, snapshot.Listeners[0], Client, Now());
            while (true)
            {
                Assert.That(step.Action, Is.EqualTo(SetupAction.Connect), $"at port {i} of {ports}: {step.Reason}");
                int socket = TcpSocket.Open(backend.Address).Value;
                TcpSocket.SetOption(socket, Libc.IPPROTO_IP, Libc.IP_BIND_ADDRESS_NO_PORT, 1);
                TcpSocket.Bind(socket, new Endpoint(step.Source!.Value, 0));
                if (step.Window is { } window)
                {
                    TcpSocket.SetOption(socket, Libc.IPPROTO_IP, Libc.IP_LOCAL_PORT_RANGE, (int)window.Packed);
                }

                long start = Stopwatch.GetTimestamp();
                SysResult connected = TcpSocket.Connect(socket, step.Target);
                micros[i] += Stopwatch.GetElapsedTime(start).TotalMicroseconds;
                if (connected.Errno == Errno.EADDRNOTAVAIL)
                {
                    TcpSocket.Close(socket);
                    step = setup.ConnectFailed(ref record, ConnectFailure.NoFreePort, Now());
                    continue;
                }

                setup.Connected(ref record, TcpSocket.LocalEndpoint(socket), Now());
                open.Add(socket);
                open.Add(TcpSocket.Accept(listening, out _).Value);
                break;
            }
        }

        open.ForEach(TcpSocket.Reset);
        return micros;
    }

    private static RoutingSnapshot Snapshot(Endpoint backend)
    {
        var pool = new PoolSettings
        {
            Name = "pool",
            SourceIps = [HostAddress.From(IPAddress.Parse("127.0.1.1"))],
            Backends = [new BackendSettings { Name = "b", Address = $"{backend}", Endpoint = backend }],
        };
        var listener = new ListenerSettings { Name = "in", Bind = [Client.Destination], Pool = "pool" };
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new BalancerConfig { Listeners = [listener], Pools = [pool] }, maxConnections: 100_000);
        snapshot.Ports.Supply.Range = PortRange.Parse(File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range"), "");
        return snapshot;
    }

    private static double At99(double[] micros)
    {
        Array.Sort(micros);
        return micros[(int)(micros.Length * 0.99)];
    }

    private static Instant Now() => Instant.Now(TimeProvider.System);
}
