using System.Diagnostics;
using System.Globalization;
using L4Balancer.Core.Accounting;
using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Tests.Contract;
using L4Balancer.Engine.Tests.Peers;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace L4Balancer.Engine.Tests.Epoll;

/// <summary>When descriptors or memory run out the balancer waits quietly, blames no backend, and goes on by itself.</summary>
internal sealed class ShortageTests() : EpollFixture(workers: 2)
{
    private static readonly TimeSpan Watched = TimeSpan.FromSeconds(1.2);

    [Test]
    public async Task Accepting_waits_without_spinning_and_recovers_by_itself(
        [Values("EMFILE", "ENFILE", "ENOBUFS", "ENOMEM")] string error)
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        var log = new FakeLogCollector();
        await using EpollEngine engine = StartLogging(backend, log);
        SystemFault.Installed = new FailingCalls(SystemCall.Accept, Enum.Parse<Errno>(error));
        List<Peer> clients = [];
        for (int i = 0; i < 10; i++)
        {
            clients.Add(Keep(await Peer.ConnectAsync(engine.Bound[0])));
        }

        TimeSpan before = await BusyAsync(engine);
        await Patience.Elapse(Watched);
        TimeSpan busy = await BusyAsync(engine) - before;
        TestContext.Out.WriteLine($"{busy.TotalMilliseconds:F1} ms busy in {Watched.TotalMilliseconds} ms, {log.Count} lines");
        using (Assert.EnterMultipleScope())
        {
            Assert.That(busy, Is.LessThan(Watched * 0.05));
            Assert.That(log.Count, Is.InRange(1, engine.Workers.Count));
        }

        SystemFault.Installed = null;
        foreach (Peer client in clients)
        {
            await client.SendAsync("x"u8.ToArray());
            await client.ReceiveAsync(1);
        }

        Assert.That(log.Count, Is.LessThanOrEqualTo(2 * engine.Workers.Count));
    }

    [Test]
    public async Task A_shortage_that_comes_and_goes_fills_no_log()
    {
        TestBackend backend = Backend();
        backend.ServeEcho();
        var log = new FakeLogCollector();
        await using EpollEngine engine = StartLogging(backend, log);
        SystemFault.Installed = new EverySecondCall(SystemCall.Accept, Errno.EMFILE);
        for (int i = 0; i < 50; i++)
        {
            using Peer client = await Peer.ConnectAsync(engine.Bound[0]);
            await client.SendAsync("x"u8.ToArray());
            await client.ReceiveAsync(1);
        }

        Assert.That(log.Count, Is.LessThanOrEqualTo(2 * engine.Workers.Count));
    }

    [Test]
    public async Task A_connection_that_ended_in_the_queue_is_passed_over()
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        SystemFault.Installed = new FailingCalls(SystemCall.Accept, Errno.ECONNABORTED, times: 3);
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await FinishAsync(client, server);
    }

    [TestCase("Socket", "EMFILE")]
    [TestCase("Socket", "ENFILE")]
    [TestCase("Socket", "ENOBUFS")]
    [TestCase("Connect", "ENOBUFS")]
    [TestCase("Connect", "EAGAIN")]
    [TestCase("EpollAdd", "ENOSPC")]
    public async Task Without_a_socket_for_the_backend_the_client_is_refused_and_no_backend_blamed(string call, string error)
    {
        TestBackend backend = Backend();
        Rig rig = Start(Settings.Pool(backend));
        SystemFault.Installed = new FailingCalls(Enum.Parse<SystemCall>(call), Enum.Parse<Errno>(error));
        for (int i = 0; i < 5; i++)
        {
            await ExpectResetAsync(rig);
            Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.Limit));
        }

        using (Assert.EnterMultipleScope())
        {
            Assert.That(rig.Listener.Refused[CloseReason.Limit], Is.EqualTo(5));
            Assert.That(rig.Backend().ConnectFailures.Total, Is.Zero);
            Assert.That(rig.Backend().ConnectAttempts, Is.Zero);
        }

        SystemFault.Installed = null;
        (Peer client, Peer server) = await OpenAsync(rig, backend);
        await FinishAsync(client, server);
    }

    [Test]
    public async Task Without_the_address_family_of_a_backend_the_next_one_serves_and_nobody_is_blamed()
    {
        TestBackend[] backends = [Backend(), Backend()];
        Array.ForEach(backends, b => b.ServeEcho());
        Rig rig = Start(Settings.Pool(backends) with { ConnectAttempts = 1 });
        SystemFault.Installed = new FailingCalls(SystemCall.Socket, Errno.EAFNOSUPPORT, times: 1);
        using Peer client = await Peer.ConnectAsync(rig.Address);
        await client.SendAsync("x"u8.ToArray());
        await client.ReceiveAsync(1);

        Assert.That((rig.Backend(0).ConnectAttempts + rig.Backend(1).ConnectAttempts, rig.Listener.Refused.Total), Is.EqualTo((1L, 0L)));
        Assert.That(rig.Backend(0).ConnectFailures.Total + rig.Backend(1).ConnectFailures.Total, Is.Zero);
    }

    [TestCase("EPERM")]
    [TestCase("EACCES")]
    public async Task What_a_policy_of_this_host_forbids_is_not_held_against_the_backend(string error)
    {
        Rig rig = Start(Settings.Pool(Backend()) with { Passive = new Core.Config.PassiveSettings { Failures = 1 } });
        SystemFault.Installed = new FailingCalls(SystemCall.Connect, Enum.Parse<Errno>(error));
        await ExpectResetAsync(rig);

        Assert.That((await rig.Records.NextEndAsync()).Reason, Is.EqualTo(CloseReason.ConnectFailed));
        Assert.That((rig.Backend().ConnectFailures.Total, rig.Backend().Connects.FailedInARow), Is.EqualTo((1L, 0)));
    }

    [Test]
    public async Task A_real_limit_of_descriptors_does_not_make_it_spin_either()
    {
        string dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";

        // Without a descriptor left the runtime must not compile anew what it has compiled.
        string[] body = ["-c", "DOTNET_TieredCompilation=0 DOTNET_EnableWriteXorExecute=0; export DOTNET_TieredCompilation DOTNET_EnableWriteXorExecute; ulimit -n 250 && exec \"$@\"", "sh", dotnet, "exec", GetType().Assembly.Location, "descriptor-shortage"];
        using Process process = Process.Start(new ProcessStartInfo("sh", body) { RedirectStandardError = true })!;
        string errors = await process.StandardError.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(60));
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        Assert.That(process.ExitCode, Is.Zero, errors);
    }

    private static EpollEngine StartLogging(TestBackend backend, FakeLogCollector log)
    {
        var engine = new EpollEngine(new EngineOptions
        {
            Clock = TimeProvider.System,
            Records = new RecordedConnections(),
            Loggers = new LoggerFactory([new FakeLoggerProvider(log)], new LoggerFilterOptions { MinLevel = LogLevel.Trace }),
            Workers = 2,
        });
        Core.Config.BalancerConfig config = Settings.Config(Settings.Pool(backend), Settings.Listener("127.0.0.1:0"));
        Assert.That(engine.Start(Core.Routing.RoutingSnapshot.Build(new(config, 1000))), Is.Empty);
        log.Clear();
        return engine;
    }

    /// <summary>Time that the workers' threads have run so far.</summary>
    private static async Task<TimeSpan> BusyAsync(EpollEngine engine)
    {
        TimeSpan sum = TimeSpan.Zero;
        foreach (Worker worker in engine.Workers)
        {
            var answer = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);

            // Documentation/scheduler/sched-stats.rst: the first field is nanoseconds on the CPU.
            worker.Mailbox.TryPost(_ => answer.SetResult(
                long.Parse(File.ReadAllText("/proc/thread-self/schedstat").Split(' ')[0], CultureInfo.InvariantCulture)));
            sum += TimeSpan.FromMicroseconds(await answer.Task.Soon() / 1000.0);
        }

        return sum;
    }
}
