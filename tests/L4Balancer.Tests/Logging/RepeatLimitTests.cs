using System.Text;
using L4Balancer.Core.Config;
using L4Balancer.Logging;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Level = L4Balancer.Core.Config.LogLevel;

namespace L4Balancer.Tests.Logging;

internal sealed class RepeatLimitTests
{
    [Test]
    public void A_warning_that_repeats_is_cut_and_what_was_cut_is_told_later()
    {
        var clock = new FakeTimeProvider();
        using var stream = new MemoryStream();
        using (var output = new LogOutput(stream, LogFormat.Text, TimeProvider.System))
        using (var loggers = new LoggerFactory([new LineLoggerProvider(output, clock)], new LevelSwitch(Level.Info)))
        {
            ILogger one = loggers.CreateLogger("one");
            ILogger other = loggers.CreateLogger("other");
            for (int i = 0; i < 1000; i++)
            {
                one.ManagerNotTold("nobody listens");
                one.Stopped();
            }

            other.ManagerNotTold("nobody listens");
            clock.Advance(RepeatLimit.Span);
            one.ManagerNotTold("nobody listens");
        }

        string[] lines = Encoding.UTF8.GetString(stream.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines.Count(l => l.Contains("warning", StringComparison.Ordinal)), Is.EqualTo(RepeatLimit.MostInASpan + 2));
        Assert.That(lines.Count(l => l.Contains("stopped", StringComparison.Ordinal)), Is.EqualTo(1000), "what only informs is whole");
        Assert.That(lines[^1], Does.EndWith($"({1000 - RepeatLimit.MostInASpan} similar lines suppressed)"));
    }

    [Test]
    public void The_level_can_change_while_loggers_live()
    {
        using var stream = new MemoryStream();
        using (var output = new LogOutput(stream, LogFormat.Text, TimeProvider.System))
        {
            var level = new LevelSwitch(Level.Error);
            using ILoggerFactory loggers = LogSetup.CreateFactory(output, level, TimeProvider.System);
            ILogger log = loggers.CreateLogger("one");
            Assert.That(log.IsEnabled(Microsoft.Extensions.Logging.LogLevel.Information), Is.False);
            log.Stopped();
            level.Set(Level.Info);
            log.Stopped();
            level.Set(Level.Warning);
            log.Stopped();
        }

        Assert.That(Encoding.UTF8.GetString(stream.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(1));
    }
}

