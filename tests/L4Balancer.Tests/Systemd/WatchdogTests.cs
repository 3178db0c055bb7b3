using System.Net.Sockets;
using System.Text;
using L4Balancer.Systemd;
using Microsoft.Extensions.Logging;

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
        string path = Path.Combine(Path.GetTempPath(), $"l4balancer-notify-{Guid.NewGuid():N}");
        using var manager = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { ReceiveTimeout = 30_000 };
        manager.Bind(new UnixDomainSocketEndPoint(path));
        using var systemd = new SystemdNotifier(path);
        var log = new CountingLog();
        var hanging = new TaskCompletionSource();
        bool hangs = false;
        await using (var watchdog = new Watchdog(
            systemd, () => hangs ? hanging.Task : Task.CompletedTask, TimeSpan.FromMilliseconds(90), TimeProvider.System, log))
        {
            Assert.That(Next(manager), Is.EqualTo("WATCHDOG=1"));
            Assert.That(Next(manager), Is.EqualTo("WATCHDOG=1"));
            hangs = true;
            Assert.That(SpinWait.SpinUntil(() => log.Errors == 1, TimeSpan.FromSeconds(30)), Is.True);
            while (manager.Available > 0)
            {
                Next(manager);
            }

            Assert.That(manager.Poll(TimeSpan.FromMilliseconds(200), SelectMode.SelectRead), Is.False, "no ping while it hangs");
            Assert.That(log.Errors, Is.EqualTo(1));
            hangs = false;
            hanging.SetResult();
            Assert.That(Next(manager), Is.EqualTo("WATCHDOG=1"));
        }

        File.Delete(path);
    }

    [TestCase("42", "2", ExpectedResult = "3 4")]
    [TestCase("41", "2", ExpectedResult = "")]
    [TestCase("42", "-1", ExpectedResult = "")]
    [TestCase(null, null, ExpectedResult = "")]
    public string Sockets_are_taken_where_they_are_meant_for_this_process(string? process, string? count) =>
        string.Join(' ', ListenDescriptors.In(name => name == "LISTEN_PID" ? process : name == "LISTEN_FDS" ? count : null, 42));

    private static string Next(Socket manager)
    {
        var datagram = new byte[256];
        return Encoding.UTF8.GetString(datagram, 0, manager.Receive(datagram));
    }

    private sealed class CountingLog : ILogger<Watchdog>
    {
        private int _errors;

        public int Errors => Volatile.Read(ref _errors);

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Interlocked.Increment(ref _errors);
    }
}
