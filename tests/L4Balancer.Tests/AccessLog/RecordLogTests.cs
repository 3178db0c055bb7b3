using System.Text;
using L4Balancer.AccessLog;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Logging;
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
}
