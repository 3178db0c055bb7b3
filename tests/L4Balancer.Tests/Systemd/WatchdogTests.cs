using L4Balancer.Systemd;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace L4Balancer.Tests.Systemd;

internal sealed class WatchdogTests
{
    [TestCase("30000000", null, ExpectedResult = 30.0)]
    [TestCase("30000000", "77", ExpectedResult = 30.0)]
    [TestCase("30000000", "78", ExpectedResult = null)]
    [TestCase(null, null, ExpectedResult = null)]
    [TestCase("0", null, ExpectedResult = null)]
    [TestCase("soon", null, ExpectedResult = null)]
    [TestCase("99999999999999999", null, ExpectedResult = null)]
    public double? It_watches_the_process_that_it_is_meant_for(string? time, string? process) =>
        Watchdog.TimeFrom(name => name == "WATCHDOG_USEC" ? time : process, 77)?.TotalSeconds;

    [Test]
    public async Task A_loop_that_hangs_ends_the_pings_and_is_told_once()
    {
        using var manager = new NotifySocket();
        using ServiceNotifications systemd = manager.Notifications();
        var log = new FakeLogger<Watchdog>();
        var hanging = new TaskCompletionSource();
        bool hangs = false;
        await using (var watchdog = new Watchdog(
            systemd, () => hangs ? hanging.Task : Task.CompletedTask, TimeSpan.FromMilliseconds(90), TimeProvider.System, log))
        {
            Assert.That(manager.Next(), Is.EqualTo("WATCHDOG=1"));
            Assert.That(manager.Next(), Is.EqualTo("WATCHDOG=1"));
            hangs = true;
            Assert.That(SpinWait.SpinUntil(() => log.Collector.Count == 1, TimeSpan.FromSeconds(30)), Is.True);
            _ = manager.Rest().Count();

            Assert.That(manager.IsQuietFor(TimeSpan.FromMilliseconds(200)), "no ping while it hangs");
            Assert.That(log.Collector.GetSnapshot().Select(r => r.Level), Is.EqualTo(new[] { LogLevel.Error }));
            hangs = false;
            hanging.SetResult();
            Assert.That(manager.Next(), Is.EqualTo("WATCHDOG=1"));
        }
    }

    [TestCase("42", "2", ExpectedResult = "3 4")]
    [TestCase("41", "2", ExpectedResult = "")]
    [TestCase("42", "-1", ExpectedResult = "")]
    [TestCase(null, null, ExpectedResult = "")]
    public string Sockets_are_taken_where_they_are_meant_for_this_process(string? process, string? count) =>
        string.Join(' ', ListenDescriptors.In(name => name == "LISTEN_PID" ? process : name == "LISTEN_FDS" ? count : null, 42));
}
