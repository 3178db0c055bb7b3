using System.Buffers.Binary;
using L4Balancer.Core.Config;
using L4Balancer.Discovery.Zookeeper;

namespace L4Balancer.Tests.Discovery.Zookeeper;

/// <summary>Servers that answer rubbish, or nothing; an ensemble that has lost its majority.</summary>
[TestFixture]
[Parallelizable(ParallelScope.All)]
internal sealed class ZookeeperFaultTests
{
    private static readonly byte[] Granted = Framed(new JuteFrame().Int(0).Int(4000).Long(7).Buffer(new byte[16]).Bool(false));

    private static IEnumerable<TestCaseData> Rubbish()
    {
        yield return Of("HTTP/1.1 400 Bad Request\r\n\r\n"u8, "not a frame of ZooKeeper").SetArgDisplayNames("HTTP");
        yield return Of([0, 0, 0, 0], "not a frame of ZooKeeper").SetArgDisplayNames("empty frame");
        yield return Of([255, 255, 255, 255], "not a frame of ZooKeeper").SetArgDisplayNames("negative length");
        yield return Of([0, 64, 0, 1], "not a frame of ZooKeeper").SetArgDisplayNames("too long a frame");
        yield return Of([0, 0, 0, 4, 1, 2, 3, 4], "does not answer as ZooKeeper does").SetArgDisplayNames("short frame");
        yield return Of([], "closes connections without an answer").SetArgDisplayNames("end at once");
        yield return Of([0, 0, 0, 40, 1], "closes connections without an answer").SetArgDisplayNames("end in the frame");
        yield return Of(Framed(new JuteFrame().Int(0).Int(0).Long(0).Buffer(new byte[16]).Bool(false)), "grants no session").SetArgDisplayNames("no session");
        yield return Of(Granted, "it has closed the connection").SetArgDisplayNames("end after the session");
        yield return Of([.. Granted, .. Framed(new JuteFrame().Int(99).Long(1).Int(0))], "answers what was not asked").SetArgDisplayNames("another number");
        yield return Of([.. Granted, .. Framed(new JuteFrame().Int(1))], "what is not a reply").SetArgDisplayNames("short header");
        yield return Of([.. Granted, .. Framed(new JuteFrame().Int(1).Long(1).Int(-4))], "ZooKeeper's error -4").SetArgDisplayNames("error");
        yield return Of([.. Granted, .. Framed(new JuteFrame().Int(-1).Long(-1).Int(0))], "what is not an event").SetArgDisplayNames("short event");
        yield return Of([.. Granted, .. Children(int.MaxValue, [])], "list of nodes cannot be read").SetArgDisplayNames("more nodes than bytes");
        yield return Of([.. Granted, .. Children(-2, [])], "list of nodes cannot be read").SetArgDisplayNames("negative count");
        yield return Of([.. Granted, .. Children(1, "a/b"u8)], "list of nodes cannot be read").SetArgDisplayNames("slash in a name");
        yield return Of([.. Granted, .. Children(1, "a"u8, hasStat: false)], "list of nodes cannot be read").SetArgDisplayNames("no stat");
        yield return Of([.. Granted, .. Children(1, "a"u8), .. Framed(new JuteFrame().Int(3).Long(1).Int(0).Int(1000))], "value of \"a\" cannot be read")
            .SetArgDisplayNames("value longer than the frame");
    }

    [TestCaseSource(nameof(Rubbish))]
    public async Task Server_that_answers_rubbish_is_unknown(byte[] answer, string why)
    {
        await using var stub = new StubStore(async (stream, stop) =>
        {
            var request = new byte[16 * 1024];
            _ = await stream.ReadAsync(request, stop);
            await stream.WriteAsync(answer, stop);
            stream.Socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);
            while (await stream.ReadAsync(request, stop) > 0)
            {
            }
        });
        await using WatchedSource source = Watch(stub.Server);
        await source.UnknownAsync(why);
        Assert.That(source.Sets, Is.Empty);
    }

    [Test]
    public async Task Server_that_grants_a_session_and_never_answers_is_taken_for_dead()
    {
        await using var stub = new StubStore(async (stream, stop) =>
        {
            await stream.WriteAsync(Granted, stop);
            await Task.Delay(Timeout.Infinite, stop);
        });
        await using WatchedSource source = Watch(stub.Server);
        await source.UnknownAsync("no byte from it for 2.7 s");
    }

    [Test]
    public async Task Members_that_have_lost_their_majority_are_unknown_and_the_rest_of_them_serves()
    {
        ZookeeperServer.Require();
        int[] ports = StoreProcess.FreePorts(6);
        string[] members = [.. Enumerable.Range(1, 3).Select(i => $"server.{i}=127.0.0.1:{ports[(2 * i) - 2]}:{ports[(2 * i) - 1]}")];
        var servers = new List<ZookeeperServer>();
        try
        {
            servers.AddRange(Enumerable.Range(1, 3).Select(i => new ZookeeperServer(i, members)));
            servers.ForEach(s => s.Process.Start());
            foreach (ZookeeperServer server in servers)
            {
                await server.Process.AcceptsAsync();
            }

            await using (ZookeeperRegistrar registrar = await ZookeeperRegistrar.OpenAsync(servers[0].Server))
            {
                await registrar.PutAsync("/b/ws1", """{"address":"10.0.0.1:443"}""");
            }

            await using WatchedSource source = Watch([.. servers.Select(s => s.Server)]);
            await source.SetAsync("10.0.0.1:443");
            await servers[0].Process.KillAsync();
            await using (ZookeeperRegistrar registrar = await ZookeeperRegistrar.OpenAsync(servers[1].Server))
            {
                await registrar.PutAsync("/b/ws2", """{"address":"10.0.0.2:443"}""");
            }

            await source.SetAsync("10.0.0.1:443", "10.0.0.2:443");
            await servers[1].Process.KillAsync();
            await source.UnknownAsync("no server answers");
            await servers[0].Process.StartAsync();
            await source.SetAsync("10.0.0.1:443", "10.0.0.2:443");
            Assert.That(source.Sets, Is.EqualTo(["10.0.0.1:443", "10.0.0.1:443, 10.0.0.2:443"]), "what is not known takes nothing away");
        }
        finally
        {
            foreach (ZookeeperServer server in servers)
            {
                await server.DisposeAsync();
            }
        }
    }

    private static WatchedSource Watch(params string[] servers) => new(new ZookeeperSource(
        new DiscoverySettings { Kind = DiscoveryKind.Zookeeper, Zookeeper = [.. servers], Interval = TimeSpan.FromMinutes(10) }, "/b/", TimeProvider.System)
    {
        SessionTimeout = TimeSpan.FromSeconds(4),
        Random = new Random(1),
    });

    private static TestCaseData Of(ReadOnlySpan<byte> answer, string why) => new(answer.ToArray(), why);

    // The replies to sync and to getChildren2.
    private static byte[] Children(int count, ReadOnlySpan<byte> name, bool hasStat = true)
    {
        JuteFrame frame = new JuteFrame().Int(2).Long(1).Int(0).Int(count);
        if (count == 1)
        {
            frame.Buffer(name);
        }

        for (int i = 0; hasStat && i < 17; i++)
        {
            frame.Int(0);
        }

        return [.. Framed(new JuteFrame().Int(1).Long(1).Int(0)), .. Framed(frame)];
    }

    private static byte[] Framed(JuteFrame frame)
    {
        byte[] bytes = frame.ToBytes();
        Assert.That(BinaryPrimitives.ReadInt32BigEndian(bytes), Is.EqualTo(bytes.Length - 4));
        return bytes;
    }
}
