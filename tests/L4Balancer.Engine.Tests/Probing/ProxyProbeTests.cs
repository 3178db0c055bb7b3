using System.Text;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Probing;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>Probes of backends that expect a PROXY header declare themselves as connections of the balancer.</summary>
public sealed class ProxyProbeTests : ExchangeFixture
{
    private static readonly string Local = Encoding.Latin1.GetString([.. "\r\n\r\n\0\r\nQUIT\n"u8, 0x20, 0, 0, 0]);

    [TestCase(SendProxy.V2, HealthType.Tcp)]
    [TestCase(SendProxy.V2, HealthType.Http)]
    [TestCase(SendProxy.V1, HealthType.Tcp)]
    public async Task The_header_comes_before_the_exchange(SendProxy version, HealthType type)
    {
        var seen = new TaskCompletionSource<string>();
        await using var backend = new TalkingBackend(async stream =>
        {
            string header = version == SendProxy.V2 ? await ReadAsync(stream, 16) : await ReadLineAsync(stream);
            string request = type == HealthType.Http ? await TalkingBackend.ReadHeadAsync(stream) : await ReadAsync(stream, 4);
            seen.TrySetResult(header + request[..4]);
            await stream.WriteAsync(type == HealthType.Http ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"u8.ToArray() : "pong"u8.ToArray());
        });
        HealthSettings health = Of(type) with { Send = "ping", Expect = "pong" };

        Assert.That(Probe(backend, version, type == HealthType.Http ? Of(type) : health), Is.EqualTo(Success));

        string start = await seen.Task;
        Assert.That(start, version == SendProxy.V2
            ? Is.EqualTo(Local + (type == HealthType.Http ? "GET " : "ping"))
            : Does.Match($"^PROXY TCP4 127.0.0.1 127.0.0.1 [0-9]+ {backend.Endpoint.Port}\r\nping$"));
    }

    [Test]
    public async Task A_port_of_its_own_gets_none()
    {
        await using var backend = new TalkingBackend(async stream =>
        {
            Assert.That(await ReadAsync(stream, 4), Is.EqualTo("ping"));
            await stream.WriteAsync("pong"u8.ToArray());
        });
        HealthSettings health = Of(HealthType.Tcp) with { Send = "ping", Expect = "pong", Port = backend.Endpoint.Port };
        PoolSettings pool = Pool(SendProxy.V2, health) with { Backends = ProbedPool.Named(ProbedPool.Loopback(1)) };
        Prober.Publish(RoutingSnapshot.Build(new(new BalancerConfig { Pools = [pool] }, MaxConnections: 100)));

        Assert.That(Log.Next().Outcome, Is.EqualTo(ProbeOutcome.Success));
    }

    private static PoolSettings Pool(SendProxy version, HealthSettings health) =>
        new() { Name = "pool", Health = health, SendProxy = version };

    private static async Task<string> ReadAsync(Stream stream, int count)
    {
        byte[] bytes = new byte[count];
        await stream.ReadExactlyAsync(bytes);
        return Encoding.Latin1.GetString(bytes);
    }

    private static async Task<string> ReadLineAsync(Stream stream)
    {
        var line = new StringBuilder();
        do
        {
            line.Append(await ReadAsync(stream, 1));
        }
        while (line[^1] != '\n');
        return line.ToString();
    }

    private (ProbeOutcome Outcome, string Detail) Probe(TalkingBackend backend, SendProxy version, HealthSettings health)
    {
        PoolSettings pool = Pool(version, health) with { Backends = ProbedPool.Named(backend.Endpoint) };
        Prober.Publish(RoutingSnapshot.Build(new(new BalancerConfig { Pools = [pool] }, MaxConnections: 100)));
        ProbeReport report = Log.Next();
        return (report.Outcome, report.Detail);
    }
}
