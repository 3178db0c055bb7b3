using System.Net.Sockets;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Tests.Peers;

namespace L4Balancer.Engine.Tests.Contract;

/// <summary>The files of UNIX sockets that are listened on: made, replaced, removed.</summary>
[Parallelizable(ParallelScope.All)]
internal abstract class UnixFileContract(Func<EngineOptions, IEngine> create) : EngineContract(create)
{
    /// <summary>The visitors of these tests do not close: an orderly end would take five seconds for them.</summary>
    private static readonly CancellationToken AtOnce = new(canceled: true);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4b-");

    private string Path => $"{_folder.FullName}/l";

    [TearDown]
    public void RemoveFolder() => _folder.Delete(recursive: true);

    [Test]
    [UnsupportedOSPlatform("windows")]
    public async Task Everybody_may_connect_and_the_file_goes_when_the_engine_stops()
    {
        Rig rig = StartAt(Path);

        Assert.That((int)File.GetUnixFileMode(Path), Is.EqualTo(0b110_110_110));
        await VisitAsync(rig.Address);
        await rig.Engine.StopAsync(TimeSpan.Zero, AtOnce).Soon();
        Assert.That(File.Exists(Path), Is.False);
    }

    [Test]
    public async Task A_stale_socket_is_replaced()
    {
        LeaveStale();

        await VisitAsync(StartAt(Path).Address);
    }

    [Test]
    public async Task A_file_that_another_process_has_put_there_stays()
    {
        Rig rig = StartAt(Path);
        File.Delete(Path);
        await File.WriteAllTextAsync(Path, "theirs");
        File.SetLastWriteTimeUtc(Path, DateTime.UtcNow.AddSeconds(5));

        await rig.Engine.StopAsync(TimeSpan.Zero, CancellationToken.None).Soon();

        Assert.That(await File.ReadAllTextAsync(Path), Is.EqualTo("theirs"));
    }

    [Test]
    public async Task What_is_no_socket_is_left_alone()
    {
        await File.WriteAllTextAsync(Path, "theirs");

        ListenFailure failure = await FailAsync(Path);

        Assert.That(failure.Message, Does.StartWith($"cannot listen on unix:{Path} (listener listener): the existing file is not a socket"));
        Assert.That(await File.ReadAllTextAsync(Path), Is.EqualTo("theirs"));
    }

    [Test]
    public async Task A_path_that_is_listened_on_is_in_use()
    {
        Rig rig = StartAt(Path);

        Assert.That((await FailAsync(Path)).Message, Does.Contain("another process listens there"));

        await VisitAsync(rig.Address);
    }

    [Test]
    [Platform("Linux")]
    public async Task A_path_that_is_bound_and_not_listened_on_yet_is_in_use()
    {
        using var starting = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        starting.Bind(new UnixDomainSocketEndPoint(Path));

        Assert.That((await FailAsync(Path)).Message, Does.Contain("another process listens there"));

        starting.Listen(1);
        using Peer client = await Peer.ConnectAsync(Endpoint.OfUnix(Path));
    }

    [Test]
    public async Task A_directory_that_is_missing_is_named()
    {
        Assert.That((await FailAsync($"{_folder.FullName}/none/l")).Message, Does.Contain("its directory does not exist"));
    }

    [Test]
    public async Task A_reload_makes_and_removes_paths_and_leaves_connections_alone()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend), Listener(Path));
        Peer client = await ConnectAsync(rig);
        await AskAsync(client);
        string other = $"{_folder.FullName}/other";

        rig.Publish(Settings.Config(Settings.Pool(backend), Listener(other)));

        Assert.That((File.Exists(Path), File.Exists(other)), Is.EqualTo((false, true)));
        Assert.That(() => Peer.ConnectAsync(Endpoint.OfUnix(Path)), Throws.InstanceOf<SocketException>());
        await AskAsync(client);
        await VisitAsync(Endpoint.OfUnix(other));

        // Within the second in which the former socket still serves what is queued.
        rig.Publish(Settings.Config(Settings.Pool(backend), Listener(Path)));

        await VisitAsync(Endpoint.OfUnix(Path));
        await AskAsync(client);
        await Patience.Until(() => ListeningAt(Path) == 1, "the former socket is closed");
        Assert.That(File.Exists(Path), Is.True, "the former socket has not removed the file of its successor");
        await VisitAsync(Endpoint.OfUnix(Path));
    }

    // unix(7): sockets bound to the path, whether its file is still there or not, with __SO_ACCEPTCON in their flags.
    private static int ListeningAt(string path) => File.ReadLines("/proc/net/unix")
        .Count(l => l.EndsWith($" {path}", StringComparison.Ordinal) && l.Contains(" 00010000 ", StringComparison.Ordinal));

    [Test]
    public async Task A_reload_that_keeps_a_path_keeps_its_socket()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend), Listener(Path));
        DateTime made = File.GetLastWriteTimeUtc(Path);

        rig.Publish(Settings.Config(Settings.Pool(backend), Listener(Path) with { Backlog = 7 }, Settings.Listener("127.0.0.1:0") with { Name = "new" }));

        Assert.That(File.GetLastWriteTimeUtc(Path), Is.EqualTo(made));
        await VisitAsync(Endpoint.OfUnix(Path));
    }

    [Test]
    public async Task A_socket_that_is_passed_in_is_used_and_its_file_stays()
    {
        // The framework removes the file when its own socket is closed, at the end of the test.
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(Path));
        socket.Listen(5);
        const int duplicate = 0;
        int descriptor = Libc.fcntl((int)socket.Handle, duplicate, 0);
        TestBackend backend = Backend();
        backend.ServeEcho();
        Rig rig = Start(Settings.Pool(backend), Listener(Path), inherited: [descriptor]);

        await VisitAsync(rig.Address);
        await rig.Engine.StopAsync(TimeSpan.Zero, AtOnce).Soon();

        Assert.That(File.Exists(Path), Is.True);
    }

    private static ListenerSettings Listener(string path) => new() { Name = "listener", Bind = [Endpoint.OfUnix(path)], Pool = "pool" };

    private Rig StartAt(string path)
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        return Start(Settings.Pool(backend), Listener(path));
    }

    // The framework removes the file of a socket that it has bound, so another name is given to it first.
    private void LeaveStale()
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint($"{Path}.first"));
        socket.Listen(1);
        File.Move($"{Path}.first", Path);
    }

    private async Task<ListenFailure> FailAsync(string path)
    {
        await using IEngine engine = NewEngine(new RecordedConnections());
        BalancerConfig config = Settings.Config(Settings.Pool(Backend()), Listener(path));
        return engine.Start(RoutingSnapshot.Build(new(config, 1000))).Single();
    }
}
