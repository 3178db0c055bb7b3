using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using L4Balancer.Configuration;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Hosting;
using L4Balancer.Logging;
using L4Balancer.Resolving;
using L4Balancer.Systemd;
using L4Balancer.Tests.Systemd;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Resolving;

/// <summary>
/// Host names as time passes: a whole daemon in the tests' own process, from a file to sockets, on a clock and with answers that a test
/// gives.
/// </summary>
[CancelAfter(30_000)]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[Category(DaemonProcess.Category)]
internal sealed class NamesInTimeTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _clock = new();
    private readonly TwoPeers _peers = new();
    private readonly LogOutput _output = new(Stream.Null, LogFormat.Text, TimeProvider.System);
    private readonly ServiceNotifications _nobody = NotifySocket.NotificationsTo(null, new FakeLogger());
    private readonly ILoggerFactory _loggers;
    private readonly Daemon _daemon;
    private readonly BlockingCollection<string> _asked = [];
    private volatile string _answer = "127.0.0.41";

    public NamesInTimeTests()
    {
        var level = new LevelSwitch(Core.Config.LogLevel.Info);
        _loggers = LogSetup.CreateFactory(_output, level, TimeProvider.System);
        _daemon = new Daemon(_clock, _output, level, _loggers, _nobody) { Resolver = Answer };
    }

    [TearDown]
    public async ValueTask DisposeAsync()
    {
        // What waits at the end waits on the clock.
        Task ends = _daemon.DisposeAsync().AsTask();
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        using var steps = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!ends.IsCompleted)
        {
            await steps.WaitForNextTickAsync(deadline.Token);
            _clock.Advance(TimeSpan.FromSeconds(1));
        }

        await ends;
        await _peers.DisposeAsync();
        _loggers.Dispose();
        _output.Dispose();
        _nobody.Dispose();
        _asked.Dispose();
    }

    [Test]
    public async Task A_name_is_asked_for_every_thirty_seconds_and_followed_and_a_failure_keeps_the_last_answer(CancellationToken cancel)
    {
        await StartAsync();
        Assert.That(_asked.Take(cancel), Is.EqualTo("ws1.test"));
        using TcpClient first = await ComeAsync();
        Assert.That(_peers.Accepted, Is.EqualTo((1, 0)));

        _answer = "127.0.0.42";
        _clock.Advance(NameResolver.Interval - TimeSpan.FromSeconds(1));
        using TcpClient early = await ComeAsync();
        Assert.That((_asked.Count, _peers.Accepted), Is.EqualTo((0, (2, 0))));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.That(_asked.Take(cancel), Is.EqualTo("ws1.test"));
        await LineAsync("resolves to 127.0.0.42:", cancel);
        using TcpClient late = await ComeAsync();
        Assert.That(_peers.Accepted, Is.EqualTo((2, 1)));

        _answer = "";
        _clock.Advance(NameResolver.Interval);
        Assert.That(_asked.Take(cancel), Is.EqualTo("ws1.test"));
        await LineAsync("host name ws1.test does not resolve: no such name", cancel);
        using TcpClient after = await ComeAsync();
        Assert.That(_peers.Accepted, Is.EqualTo((2, 2)));
        Assert.That(await Talk.EchoAsync(first, "still"), Is.EqualTo("still"));
    }

    private async Task StartAsync()
    {
        string file = DaemonProcess.ConfigFileWith($"""
            [balancer]
            engine = "managed" # The other one has this process's other threads yield to its own.
            [admin]
            socket = ""
            [[listeners]]
            name = "wss"
            bind = ["127.0.0.1:0"]
            pool = "chat"
            [[pools]]
            name = "chat"
            health.type = "none"
            [[pools.backends]]
            name = "ws1"
            address = "ws1.test:{_peers.Port}"
            """);
        Assert.That(await _daemon.StartAsync(ConfigFile.Load(file).Config!, file), Is.Empty);
    }

    private LookUp Answer(string host)
    {
        _asked.Add(host);
        return _answer is { Length: > 0 } address
            ? new LookUp([HostAddress.From(IPAddress.Parse(address))], "") : new LookUp([], "no such name");
    }

    private async Task<TcpClient> ComeAsync()
    {
        TcpClient client = await Talk.ConnectAsync(new IPEndPoint(IPAddress.Loopback, _daemon.Bound[0].Port));
        Assert.That(await Talk.EchoAsync(client, "a"), Is.EqualTo("a"));
        return client;
    }

    // An answer is taken in on another thread, and answers of one moment are put in force together a moment later.
    private async Task LineAsync(string text, CancellationToken cancel)
    {
        using var steps = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!_output.Recent.After(0).Any(l => l.Text.Contains(text, StringComparison.Ordinal)))
        {
            await steps.WaitForNextTickAsync(cancel);
            _clock.Advance(TimeSpan.FromMilliseconds(1));
        }
    }
}
