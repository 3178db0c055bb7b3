using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Probing;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>Probes of backends that are UNIX sockets.</summary>
public sealed class UnixProbeTests : ExchangeFixture
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4b-");

    [OneTimeTearDown]
    public void RemoveFolder() => _folder.Delete(recursive: true);

    [Test]
    public void A_socket_that_listens_is_a_success_whatever_source_and_port_are_set()
    {
        using Socket backend = Listen("a", backlog: 10);

        Assert.That(First("a", ProbedPool.Quick with { Port = 8080 }, "127.0.0.2"), Is.EqualTo(Success));
    }

    [Test]
    public void A_path_without_a_socket_is_a_failure() =>
        Assert.That(First("none", ProbedPool.Quick), Is.EqualTo((ProbeOutcome.Failure, "no such socket")));

    [Test]
    public void A_full_queue_is_a_failure()
    {
        using Socket backend = Listen("full", backlog: 0);
        using var filler = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        filler.Connect(new UnixDomainSocketEndPoint(PathOf("full")));

        Assert.That(First("full", ProbedPool.Quick), Is.EqualTo((ProbeOutcome.Failure, "the queue of its socket is full")));
    }

    [Test]
    public async Task An_http_probe_asks_for_localhost()
    {
        using Socket backend = Listen("http", backlog: 10);
        Task<string> served = ServeAsync(backend);

        Assert.That(First("http", Of(HealthType.Http) with { Path = "/healthz" }), Is.EqualTo(Success));
        Assert.That(await served, Does.StartWith("GET /healthz HTTP/1.1\r\nHost: localhost\r\n"));
    }

    private static async Task<string> ServeAsync(Socket backend)
    {
        using var stream = new NetworkStream(await backend.AcceptAsync(), ownsSocket: true);
        string request = await TalkingBackend.ReadHeadAsync(stream);
        await stream.WriteAsync("HTTP/1.1 200 OK\r\n\r\n"u8.ToArray());
        return request;
    }

    private string PathOf(string name) => $"{_folder.FullName}/{name}";

    private Socket Listen(string name, int backlog)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(PathOf(name)));
        socket.Listen(backlog);
        return socket;
    }

    private (ProbeOutcome Outcome, string Detail) First(string name, HealthSettings health, params string[] sources)
    {
        Prober.Publish(ProbedPool.Snapshot(
            health, [.. sources.Select(ProbedPool.Address)], ProbedPool.Named(Endpoint.OfUnix(PathOf(name))), null));
        ProbeReport report = Log.Next();
        return (report.Outcome, report.Detail);
    }
}
