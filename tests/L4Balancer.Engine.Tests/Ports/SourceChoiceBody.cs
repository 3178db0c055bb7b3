using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Config;
using L4Balancer.Core.Ports;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Engine.Tests.Ports;

/// <summary>
/// Runs in a <see cref="PortRangeNamespace"/>: three quarters of the ports of one source are in use when another one is added. It gets all
/// connections until it has as many, and half of them from then on.
/// </summary>
internal sealed class SourceChoiceBody : IAsyncDisposable
{
    private const string Full = "127.0.0.2";
    private const string Empty = "127.0.0.3";

    private readonly TestBackend _backend = TestBackend.Listening("127.0.0.9");
    private readonly List<Peer> _peers = [];
    private readonly Rig _rig;

    private SourceChoiceBody(string engineName, int ports)
    {
        var records = new RecordedConnections();
        var options = new EngineOptions { Clock = TimeProvider.System, Records = records, Loggers = NullLoggerFactory.Instance, Workers = 2 };
        RoutingSnapshot snapshot = RoutingSnapshot.Build(new(From(Full), MaxConnections: 10_000));
        snapshot.Ports.Supply.Range = PortRange.Parse(File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range"), "");
        Assert.That(snapshot.Ports.Supply.Range.Count, Is.EqualTo(ports));
        _rig = new Rig(EngineUnderTest.Create(engineName, options), snapshot, records);
        Assert.That(_rig.Start(), Is.Empty);
    }

    public static async Task RunAsync(string engineName, int ports)
    {
        int many = ports * 3 / 4;
        await using var body = new SourceChoiceBody(engineName, ports);
        Assert.That(await body.OpenAsync(many), Is.EqualTo((many, 0)));

        body._rig.Publish(body.From(Full, Empty));
        Assert.That(await body.OpenAsync(many), Is.EqualTo((0, many)), "until it has as many");

        int rest = (ports - many) / 2;
        (int full, int empty) = await body.OpenAsync(2 * rest);
        Assert.That((full, empty), Is.EqualTo((rest, rest)), "from then on");
    }

    public async ValueTask DisposeAsync()
    {
        _peers.ForEach(p => p.Dispose());
        _backend.Dispose();
        await _rig.DisposeAsync();
    }

    /// <returns>How many came from either source.</returns>
    private async Task<(int Full, int Empty)> OpenAsync(int count)
    {
        Dictionary<string, int> seen = new() { [Full] = 0, [Empty] = 0 };
        for (int i = 0; i < count; i++)
        {
            Peer client = await ConnectAsync();
            Peer server = await _backend.AcceptAsync();
            _peers.AddRange([client, server]);
            await Patience.Until(() => _rig.Records.IsEstablished(client.Local), "the engine knows of it too");
            seen[$"{server.Remote.Address}"]++;
        }

        return (seen[Full], seen[Empty]);
    }

    // From a port outside of the range: a connect that chooses its own passes over those that somebody has bound, on whatever address.
    private async Task<Peer> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 20_000 + _peers.Count));
        await socket.ConnectAsync(_rig.Address.ToIPEndPoint()).Soon();
        return new Peer(socket, _rig.Address);
    }

    private BalancerConfig From(params string[] sources) => Settings.Config(
        Settings.Pool(_backend) with { SourceIps = [.. sources.Select(Settings.Address)] }, Settings.Listener("127.0.0.1:0"));
}
