using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Engine.Tests.Ports;

/// <summary>
/// Runs in <see cref="VethNamespaces"/>, as the balancer or as its peers: many more connections than there are local ports, one after
/// the other. Where nobody keeps TIME_WAIT from us the ports come to an end, which is then said and nobody's fault.
/// </summary>
internal sealed class TimeWaitBody(FirstCloser first, int twReuse, int connections) : IRecordSink
{
    public const int Port = 6000;

    /// <summary>Where the balancer says that it listens.</summary>
    public const int ReadyPort = 6001;

    private const int Pairs = VethNamespaces.Sources * VethNamespaces.Backends;

    /// <summary>At most 9,000 in any 1.5 s: what nine pairs carry where the kernel gives a port again after a second.</summary>
    private const double ReusedPerSecond = 5900;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    // Now and then a TIME_WAIT ends before its time: a reset that comes late kills it (RFC 1337).
    private static NUnit.Framework.Constraints.IResolveConstraint Served =>
        Is.InRange(Pairs * VethNamespaces.Ports, Pairs * VethNamespaces.Ports * 101 / 100);

    private readonly TaskCompletionSource _allEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _ended;

    private bool PortsEnd => first == FirstCloser.Client && twReuse != 1;

    public static async Task RunAsync(string engine, string first, string twReuse, string connections, string role)
    {
        FirstCloser closer = Enum.Parse<FirstCloser>(first);
        int count = int.Parse(connections);
        var body = new TimeWaitBody(closer, int.Parse(twReuse), count);
        if (role == "balancer")
        {
            await body.BalanceAsync(engine);
            return;
        }

        double rate = closer == FirstCloser.Client && !body.PortsEnd ? ReusedPerSecond : 0;
        int served = new TimeWaitPeers(closer, count, rate).Run(out IReadOnlyCollection<string> failures);
        Assert.That(served, body.PortsEnd ? Served : Is.EqualTo(count), string.Join(", ", failures.Take(10)));
    }

    void IRecordSink.Established(in ConnectionRecord record)
    {
    }

    void IRecordSink.Ended(in ConnectionRecord record)
    {
        if (Interlocked.Increment(ref _ended) == connections)
        {
            _allEnded.SetResult();
        }
    }

    private async Task BalanceAsync(string engineName)
    {
        RoutingSnapshot snapshot = Snapshot();
        var options = new EngineOptions { Clock = TimeProvider.System, Records = this, Loggers = NullLoggerFactory.Instance, Workers = 2 };
        await using IEngine engine = EngineUnderTest.Create(engineName, options);
        Assert.That(engine.Start(snapshot), Is.Empty);
        using var ready = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        ready.Bind(new IPEndPoint(IPAddress.Parse(VethNamespaces.Source(0)), ReadyPort));
        ready.Listen();
        await _allEnded.Task.WaitAsync(Patience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Assert.That(_ended, Is.EqualTo(connections), "connections that have ended");

        Instant now = Instant.Now(TimeProvider.System);
        int inUse = snapshot.Ports.Uses.Sum(u => u.InUse(now));
        ReasonCounters refused = snapshot.Listeners[0].State.Refused;
        BackendState[] states = [.. snapshot.Pools[0].Backends.Select(b => b.State)];
        await Console.Error.WriteLineAsync(
            $"{first} first, tcp_tw_reuse={twReuse}: refused {refused.Total}, in use {inUse}, "
            + $"processor time {Process.GetCurrentProcess().TotalProcessorTime.TotalSeconds:F1} s, "
            + $"exhausted {snapshot.Sources.Sum(s => s.Exhausted)}");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(connections - refused.Total, PortsEnd ? Served : Is.EqualTo(connections));
            Assert.That(refused[CloseReason.SourcePortsExhausted], Is.EqualTo(refused.Total));
            Assert.That(states.Sum(c => c.ConnectFailures.Total), Is.Zero, "no failed connect is counted");

            // The first thirtieth of the ports is not known one by one, so that one of them that serves again early counts twice; and a
            // FIN that has come but was not read yet is taken for one that has not.
            int slack = Pairs * VethNamespaces.Ports / 20;
            Assert.That(inUse, first == FirstCloser.Backend
                ? Is.LessThanOrEqualTo(slack) : Is.EqualTo(Pairs * VethNamespaces.Ports).Within(slack));
        }
    }

    private static RoutingSnapshot Snapshot()
    {
        Endpoint[] backends = [.. Enumerable.Range(0, VethNamespaces.Backends).Select(i => At(VethNamespaces.Backend(i)))];
        var pool = new PoolSettings
        {
            Name = "pool",
            Health = new HealthSettings { Type = HealthType.None },
            SourceIps = [.. Enumerable.Range(0, VethNamespaces.Sources).Select(i => At(VethNamespaces.Source(i)).Address)],
            Backends = [.. backends.Select((b, i) => new BackendSettings { Name = $"b{i}", Address = $"{b}", Endpoint = b })],
        };
        var listener = new ListenerSettings { Name = "in", Bind = [At(VethNamespaces.Source(0))], Pool = "pool" };
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new(new BalancerConfig { Listeners = [listener], Pools = [pool] }, MaxConnections: 10_000));
        snapshot.Ports.Supply.Range = PortRange.Parse(File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range"), "");
        return snapshot;
    }

    private static Endpoint At(string address) => Endpoint.From(new IPEndPoint(IPAddress.Parse(address), Port));
}
