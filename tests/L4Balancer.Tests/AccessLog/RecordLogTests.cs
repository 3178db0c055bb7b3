using System.Text;
using L4Balancer.AccessLog;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Routing;
using L4Balancer.Logging;
using L4Balancer.Tests.Metrics;
using L4Balancer.Tests.Truth;
using Microsoft.Extensions.Logging;
using Level = L4Balancer.Core.Config.LogLevel;

namespace L4Balancer.Tests.AccessLog;

internal sealed class RecordLogTests
{
    private static readonly CloseReason[] Ends = [CloseReason.ClientClosed, CloseReason.BackendClosed, CloseReason.IdleTimeout];

    [TestCase(AccessLogMode.Off, ExpectedResult = "")]
    [TestCase(AccessLogMode.Failures, ExpectedResult = "idle_timeout no_backend")]
    [TestCase(AccessLogMode.All, ExpectedResult = "client_closed backend_closed idle_timeout no_backend")]
    public async Task<string> The_mode_says_which_ends_are_seen(AccessLogMode mode)
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        string[] lines = await LoggedAsync(new BalancerSettings { AccessLog = mode }, log =>
        {
            foreach (CloseReason reason in Ends)
            {
                log.Ended(Connections.Closed(snapshot, reason));
            }

            log.Ended(Connections.Refused(snapshot, CloseReason.NoBackend));
        });
        return string.Join(' ', lines.Select(l => l[(l.LastIndexOf('=') + 1)..]));
    }

    [TestCase(Level.Debug, AccessLogMode.Failures, ExpectedResult = 1)]
    [TestCase(Level.Debug, AccessLogMode.Off, ExpectedResult = 0)]
    [TestCase(Level.Info, AccessLogMode.All, ExpectedResult = 0)]
    public async Task<int> A_line_at_connect_comes_only_at_debug(Level level, AccessLogMode mode)
    {
        string[] lines = await LoggedAsync(
            new BalancerSettings { AccessLog = mode, LogLevel = level },
            log => log.Established(Connections.Established(Connections.Snapshot())));
        return lines.Length;
    }

    [TestCase(AccessLogMode.Failures, ExpectedResult = "start alive")]
    [TestCase(AccessLogMode.All, ExpectedResult = "start alive end")]
    public async Task<string> Lines_of_more_than_one_kind_say_which_they_are(AccessLogMode mode)
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        var settings = new BalancerSettings { AccessLog = mode, AccessLogStart = true, AccessLogEvery = TimeSpan.FromMinutes(5) };
        string[] lines = await LoggedAsync(settings, log =>
        {
            ConnectionRecord record = Connections.Established(snapshot);
            log.Established(record);
            log.Alive(record.At(Connections.Start + TimeSpan.FromMinutes(5)));
            log.Ended(Connections.Closed(snapshot, CloseReason.ClientClosed));
        });
        return string.Join(' ', lines.Select(l => l.Split(" event=")[1].Split(' ')[0]));
    }

    [Test]
    public async Task Living_connections_are_not_logged_where_it_is_off()
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        string[] lines = await LoggedAsync(new BalancerSettings { AccessLog = AccessLogMode.All }, log =>
        {
            log.Alive(Connections.Established(snapshot).At(Connections.Start + TimeSpan.FromMinutes(5)));
            log.Ended(Connections.Closed(snapshot, CloseReason.ClientClosed));
        });
        Assert.That(lines, Has.Length.EqualTo(1));
        Assert.That(lines[0], Does.Not.Contain(" event="));
    }

    [Test]
    public async Task Many_lines_are_written_at_once()
    {
        const int connections = 5000;
        using var stream = new CountedWrites();
        RoutingSnapshot snapshot = Connections.Snapshot();
        ConnectionRecord record = Connections.Closed(snapshot, CloseReason.ClientClosed);
        using (var output = new LogOutput(stream, LogFormat.Text, TimeProvider.System))
        using (ILoggerFactory loggers = LogSetup.CreateFactory(output, Level.Info, TimeProvider.System))
        {
            await using var log = new RecordLog(
                new BalancerSettings { AccessLog = AccessLogMode.All }, output, null, TimeProvider.System, loggers.CreateLogger<RecordLog>());
            for (int i = 0; i < connections; i++)
            {
                log.Ended(record);
                if (i % 100 == 0)
                {
                    // The output holds fewer lines than these: the writer must get to run.
                    Thread.Yield();
                }
            }
        }

        Assert.That(stream.Lines, Is.GreaterThan(connections / 2));
        Assert.That(stream.Writes, Is.LessThan(stream.Lines / 50));
    }

    [Test]
    public async Task A_storm_of_failures_is_cut_and_what_was_cut_is_told()
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        string[] lines = await LoggedAsync(new BalancerSettings(), log =>
        {
            for (int i = 0; i < 250; i++)
            {
                log.Ended(Connections.Refused(snapshot, CloseReason.NoBackend));
            }
        });
        int written = lines.Count(l => l.Contains("reason=no_backend", StringComparison.Ordinal));
        int suppressed = lines.Where(l => l.Contains("suppressed", StringComparison.Ordinal))
            .Sum(l => int.Parse(l.Split("suppressed ")[1].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture));
        Assert.That(written + suppressed, Is.EqualTo(250));

        // A slow machine may take two seconds over it.
        Assert.That(written, Is.InRange(100, 200));
    }

    [Test]
    public async Task What_is_logged_can_change_at_any_time()
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        string[] lines = await LoggedAsync(new BalancerSettings { AccessLog = AccessLogMode.Off }, log =>
        {
            log.Ended(Connections.Refused(snapshot, CloseReason.NoBackend));
            log.Apply(new BalancerSettings { AccessLog = AccessLogMode.All, LogLevel = Level.Debug });
            log.Established(Connections.Established(snapshot));
            log.Ended(Connections.Refused(snapshot, CloseReason.Limit));
        });
        Assert.That(lines, Has.Length.EqualTo(2));
        Assert.That(lines[0], Does.EndWith("reason=-"));
        Assert.That(lines[1], Does.EndWith("reason=limit"));
    }

    [Test]
    [NonParallelizable]
    public async Task A_flood_loses_lines_but_the_histograms_count_everybody()
    {
        const int flood = 50_000;
        RoutingSnapshot snapshot = Connections.Snapshot();
        using var metrics = new ScrapedMetrics(() => snapshot);
        var record = Connections.Closed(snapshot, CloseReason.ClientClosed);
        using var output = new LogOutput(Stream.Null, LogFormat.Text, TimeProvider.System);
        using ILoggerFactory loggers = LogSetup.CreateFactory(output, new LevelSwitch(Level.Info), TimeProvider.System);
        await using (var log = new RecordLog(
            new BalancerSettings(), output, metrics.Of.Durations, TimeProvider.System, loggers.CreateLogger<RecordLog>()))
        {
            for (int i = 0; i < flood; i++)
            {
                log.Established(record);
                log.Ended(record);
            }
        }

        var exposition = new Exposition(metrics.Text());
        Assert.That(exposition.Sum("connect_duration_seconds_count"), Is.EqualTo(flood));
        Assert.That(exposition.Sum("connection_duration_seconds_count"), Is.EqualTo(flood));
    }

    [TestCase(AccessLogMode.Off, CloseReason.IdleTimeout)]
    [TestCase(AccessLogMode.Failures, CloseReason.ClientClosed)]
    public async Task A_record_that_nobody_will_see_costs_nothing(AccessLogMode mode, CloseReason reason)
    {
        var record = Connections.Closed(Connections.Snapshot(), reason);
        await LoggedAsync(new BalancerSettings { AccessLog = mode }, log =>
        {
            log.Ended(record);
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
            {
                log.Established(record);
                log.Ended(record);
            }

            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        });
    }

    [Test]
    public async Task No_line_is_built_for_an_output_that_is_full()
    {
        var stream = new UnreadStream();
        using var output = new LogOutput(stream, LogFormat.Text, TimeProvider.System);
        output.Write("the one that waits");
        Assert.That(stream.Waiting.Wait(TimeSpan.FromSeconds(30)), Is.True);
        while (!output.DropsNow())
        {
            output.Write("one of too many");
        }

        // The clock is asked for the time of day once for each line.
        int asked = 0;
        var clock = new ObservedClock { TimeOfDayAsked = () => asked++ };
        using ILoggerFactory loggers = LogSetup.CreateFactory(output, Level.Info, TimeProvider.System);
        await using (var log = new RecordLog(
            new BalancerSettings { AccessLog = AccessLogMode.All }, output, null, clock, loggers.CreateLogger<RecordLog>()))
        {
            RoutingSnapshot snapshot = Connections.Snapshot();
            for (int i = 0; i < 250; i++)
            {
                log.Ended(Connections.Refused(snapshot, CloseReason.NoBackend));
            }
        }

        Assert.That(asked, Is.Zero);
        await stream.DisposeAsync();
    }

    [Test]
    public async Task Whole_logs_are_not_cut()
    {
        RoutingSnapshot snapshot = Connections.Snapshot();
        string[] lines = await LoggedAsync(new BalancerSettings { AccessLog = AccessLogMode.All }, log =>
        {
            for (int i = 0; i < 250; i++)
            {
                log.Ended(Connections.Refused(snapshot, CloseReason.NoBackend));
            }
        });
        Assert.That(lines, Has.Length.EqualTo(250));
    }

    private static async Task<string[]> LoggedAsync(BalancerSettings settings, Action<RecordLog> happens)
    {
        using var stream = new MemoryStream();
        using (var output = new LogOutput(stream, LogFormat.Text, TimeProvider.System))
        using (ILoggerFactory loggers = LogSetup.CreateFactory(output, settings.LogLevel, TimeProvider.System))
        {
            await using var log = new RecordLog(settings, output, histograms: null, TimeProvider.System, loggers.CreateLogger<RecordLog>());
            happens(log);
        }

        return Encoding.UTF8.GetString(stream.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private sealed class CountedWrites : MemoryStream
    {
        public int Writes { get; private set; }

        public int Lines { get; private set; }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Writes++;
            Lines += buffer.Count((byte)'\n');
        }
    }

    /// <summary>A pipe that is full: what is written waits until the end.</summary>
    private sealed class UnreadStream : MemoryStream
    {
        private readonly ManualResetEventSlim _ended = new();

        public ManualResetEventSlim Waiting { get; } = new();

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Waiting.Set();
            _ended.Wait();
        }

        protected override void Dispose(bool disposing)
        {
            _ended.Set();
            base.Dispose(disposing);
        }
    }
}
