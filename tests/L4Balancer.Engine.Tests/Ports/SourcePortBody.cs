using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Engine.Tests.Ports;

/// <summary>
/// Runs in a <see cref="PortRangeNamespace"/>: fills every local port of every pair of source and backend, and one more. All ports
/// that the body chooses itself lie outside of the range, so that the engine alone uses that.
/// </summary>
internal sealed class SourcePortBody : IDisposable
{
    private static readonly IPEndPoint ListenerAt = new(IPAddress.Loopback, 6000);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly EndedRecords _records = new();
    private readonly List<Socket> _clients = [];
    private readonly List<GreetingBackend> _backends = [];
    private readonly RoutingSnapshot _snapshot;
    private int _nextClientPort = 50_000;

    private SourcePortBody(int sources, int backends)
    {
        for (int i = 1; i <= backends; i++)
        {
            _backends.Add(new GreetingBackend(new IPEndPoint(IPAddress.Parse($"127.0.2.{i}"), 7000)));
        }

        var pool = new PoolSettings
        {
            Name = "pool",
            Health = new HealthSettings { Type = HealthType.None },
            SourceIps = [.. Enumerable.Range(1, sources).Select(i => HostAddress.From(IPAddress.Parse($"127.0.1.{i}")))],
            Backends = [.. _backends.Select((b, i) => new BackendSettings { Name = $"b{i}", Address = $"{b.Endpoint}", Endpoint = b.Endpoint })],
        };
        var listener = new ListenerSettings { Name = "in", Bind = [Endpoint.From(ListenerAt)], Pool = "pool" };
        _snapshot = RoutingSnapshot.Build(new(new BalancerConfig { Listeners = [listener], Pools = [pool] }, MaxConnections: 10_000));
    }

    public static async Task RunAsync(string engineName, int sources, int backends)
    {
        using var body = new SourcePortBody(sources, backends);
        var options = new EngineOptions { Clock = TimeProvider.System, Records = body._records, Loggers = NullLoggerFactory.Instance };
        await using IEngine engine = EngineUnderTest.Create(engineName, options);
        Assert.That(engine.Start(body._snapshot), Is.Empty);
        await body.FillAndOverfillAsync(sources * backends * PortRangeNamespace.Ports, sources * backends);
    }

    public void Dispose()
    {
        _clients.ForEach(c => c.Dispose());
        _backends.ForEach(b => b.Dispose());
    }

    private async Task FillAndOverfillAsync(int capacity, int pairs)
    {
        for (int i = 0; i < capacity; i++)
        {
            Assert.That(await ConnectAsync(), Is.True, $"Connection {i + 1} of {capacity} was refused.");
        }

        // On the way to the last ports a connection passes over pairs that are full; each of those is counted too.
        long exhaustedBefore = _snapshot.Sources.Sum(s => s.Exhausted);
        Assert.That(await ConnectAsync(), Is.False, "There was room for one more than the ports allow.");
        ConnectionRecord refused = _records.Next();
        Assert.That(refused.Reason, Is.EqualTo(CloseReason.SourcePortsExhausted));
        Assert.That(refused.Attempts, Is.Zero, "A connect for which no port was free is no attempt.");
        Assert.That(_snapshot.Sources.Sum(s => s.Exhausted) - exhaustedBefore, Is.EqualTo(pairs), "Every pair was tried, each once.");
        AssertNobodyIsBlamed(capacity, refusals: 1);

        // A reset leaves no TIME_WAIT, so that the port is free at once.
        Socket leaving = _clients[^2];
        leaving.Close(timeout: 0);
        Assert.That(_records.Next().Reason, Is.EqualTo(CloseReason.ClientReset));
        Assert.That(await ConnectAsync(), Is.True, "The port of a closed connection serves the next one.");
        Assert.That(await ConnectAsync(), Is.False, "And only one.");
        Assert.That(_records.Next().Reason, Is.EqualTo(CloseReason.SourcePortsExhausted));
        AssertNobodyIsBlamed(capacity, refusals: 2);
    }

    private void AssertNobodyIsBlamed(int capacity, int refusals)
    {
        BackendState[] states = [.. _snapshot.Pools[0].Backends.Select(b => b.State)];
        Assert.That(states.Sum(c => c.ConnectFailures.Total), Is.Zero);
        Assert.That(states.Select(c => c.Active), Is.All.EqualTo(capacity / states.Length));
        Assert.That(_snapshot.Sources.Sum(s => s.Unusable), Is.Zero);
        Assert.That(_snapshot.Listeners[0].State.Refused[CloseReason.SourcePortsExhausted], Is.EqualTo(refusals));
        Assert.That(_snapshot.Listeners[0].State.Refused.Total, Is.EqualTo(refusals));
    }

    /// <returns>Whether a backend's greeting came through; otherwise the connection was reset.</returns>
    private async Task<bool> ConnectAsync()
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _clients.Add(client);
        client.Bind(new IPEndPoint(IPAddress.Loopback, _nextClientPort++));
        try
        {
            // A refusal can be here before the runtime has looked at the handshake: then connecting fails already.
            await client.ConnectAsync(ListenerAt);
            return await client.ReceiveAsync(new byte[1]).WaitAsync(Patience) == 1;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            return false;
        }
    }
}
