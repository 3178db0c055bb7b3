using System.Collections.Concurrent;
using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Tests.Peers;
using L4Balancer.Engine.Tests.Ports;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Runs in a namespace of <see cref="UnreachableContract"/>: clients of a backend to which there is no way.</summary>
internal static class UnreachableBody
{
    private const int Failures = 3;

    public static async Task RunAsync(string engineName, string backend)
    {
        var records = new RecordedConnections();
        var options = new EngineOptions { Clock = TimeProvider.System, Records = records, Loggers = NullLoggerFactory.Instance, Workers = 1 };
        var pool = new PoolSettings
        {
            Name = "pool",
            Health = new HealthSettings { Type = HealthType.None },
            Passive = new PassiveSettings { Failures = Failures },
            ConnectAttempts = 1,
            Backends = [new BackendSettings { Name = "b", Address = backend, Endpoint = Settings.Endpoint(backend) }],
        };
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new(Settings.Config(pool, Settings.Listener("127.0.0.1:0")), MaxConnections: 1000));
        ConcurrentQueue<PassiveHealthEvent> news = new();
        snapshot.ConnectReports.Handler = (_, said) => news.Enqueue(said);
        await using var rig = new Rig(EngineUnderTest.Create(engineName, options), snapshot, records);
        Assert.That(rig.Start(), Is.Empty);

        for (int i = 0; i < Failures + 1; i++)
        {
            await ComeAsync(rig);
            ConnectionRecord end = await rig.Records.NextEndAsync();
            Assert.That((end.Reason, end.Attempts), Is.EqualTo((CloseReason.ConnectFailed, 1)));
            Assert.That(news.Count, Is.EqualTo(i + 1 < Failures ? 0 : 1), $"after {i + 1}");
        }

        Assert.That(news, Is.EqualTo(new[] { PassiveHealthEvent.Failing }));
        Assert.That((rig.Backend().Connects.FailedInARow, rig.Backend().Connects.LastFault), Is.EqualTo((Failures + 1, "unreachable")));
        Assert.That(rig.Backend().ConnectFailures[CloseReason.ConnectFailed], Is.EqualTo(Failures + 1));
        await rig.Engine.StopAsync(TimeSpan.Zero, new CancellationToken(canceled: true)).Soon();
        rig.AssertBooksBalance();
    }

    // It is reset so soon, it may be, that its connect already fails.
    private static async Task ComeAsync(Rig rig)
    {
        try
        {
            using Peer client = await Peer.ConnectAsync(rig.Address);
            Assert.That((await client.ReceiveAllAsync()).End, Is.EqualTo(StreamEnd.Reset));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
        }
    }
}
