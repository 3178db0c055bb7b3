using L4Balancer.Core.Config;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>Socket options are in force on both sides, as the kernel reports them for the engine's own descriptors.</summary>
internal abstract class OptionContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    // asm-generic/socket.h and linux/tcp.h.
    private const int LevelSocket = 1;
    private const int LevelTcp = 6;
    private const int Keepalive = 9;
    private const int NoDelay = 1;
    private const int KeepIdle = 4;
    private const int KeepInterval = 5;
    private const int KeepCount = 6;
    private const int UserTimeout = 18;

    [Test]
    public async Task Each_side_has_the_options_of_its_own_table()
    {
        TestBackend backend = Backend();
        Rig rig = Start(
            Settings.Pool(backend) with { Keepalive = Keep(31, 11, 4), UserTimeout = TimeSpan.FromSeconds(17) },
            Settings.Listener("127.0.0.1:0") with { Keepalive = Keep(41, 21, 5), UserTimeout = TimeSpan.FromMilliseconds(1500) });
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await server.SendAsync(new byte[1]);
        await client.ReceiveAsync(1);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(OptionsOf(client), Is.EqualTo("nodelay 1, keepalive 1 41 21 5, user timeout 1500"), "the client's side");
            Assert.That(OptionsOf(server), Is.EqualTo("nodelay 1, keepalive 1 31 11 4, user timeout 17000"), "the backend's side");
        }
    }

    [Test]
    public async Task Keepalive_can_be_off()
    {
        TestBackend backend = Backend();
        Rig rig = Start(
            Settings.Pool(backend) with { Keepalive = Keep(0, 10, 3) }, Settings.Listener("127.0.0.1:0") with { Keepalive = Keep(0, 10, 3) });
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await server.SendAsync(new byte[1]);
        await client.ReceiveAsync(1);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(OptionsOf(client), Does.Contain("keepalive 0"));
            Assert.That(OptionsOf(server), Does.Contain("keepalive 0"));
        }
    }

    private static KeepaliveSettings Keep(int idle, int interval, int count) =>
        new() { Idle = TimeSpan.FromSeconds(idle), Interval = TimeSpan.FromSeconds(interval), Count = count };

    /// <summary>Of the engine's end of the peer's connection.</summary>
    private static string OptionsOf(Peer peer)
    {
        EngineSocket socket = EngineSocket.Find(peer.Remote, peer.Local);
        int keepalive = socket.Option(LevelSocket, Keepalive) != 0 ? 1 : 0;
        return $"nodelay {socket.Option(LevelTcp, NoDelay)}, keepalive {keepalive} {socket.Option(LevelTcp, KeepIdle)} "
            + $"{socket.Option(LevelTcp, KeepInterval)} {socket.Option(LevelTcp, KeepCount)}, user timeout {socket.Option(LevelTcp, UserTimeout)}";
    }
}
