using System.Globalization;
using System.Net.Sockets;
using L4Balancer.Systemd;
using Microsoft.Extensions.Hosting.Systemd;
using Microsoft.Extensions.Logging.Testing;

namespace L4Balancer.Tests.Systemd;

internal sealed class ServiceNotificationsTests
{
    [TestCase("/")]
    [TestCase("@")]
    public void Ready_and_stopping_reach_the_manager(string kind)
    {
        using var manager = new NotifySocket(isAbstract: kind == "@");
        using ServiceNotifications systemd = manager.Notifications();

        systemd.Ready("1 of 1 backends up");
        Assert.That(manager.Next(), Is.EqualTo("READY=1\nSTATUS=1 of 1 backends up"));
        systemd.Status("0 of 1 backends up");
        Assert.That(manager.Next(), Is.EqualTo("STATUS=0 of 1 backends up"));
        systemd.Stopping("draining");
        Assert.That(manager.Next(), Is.EqualTo("STOPPING=1\nSTATUS=draining"));
    }

    [TestCase(null)]
    [TestCase("")]
    [TestCase("vsock:2:1234")]
    public void Without_a_manager_nothing_is_sent_and_nothing_fails(string? address)
    {
        var log = new FakeLogger();
        using (ServiceNotifications systemd = NotifySocket.NotificationsTo(address, log))
        {
            Assert.That(systemd.IsEnabled, Is.False);
            systemd.Ready("fine");
        }

        Assert.That(log.Collector.Count, Is.Zero);
    }

    [TestCase("/nonexistent/notify")]
    [TestCase("/longer/than/an/address/may/be/1234567890/1234567890/1234567890/1234567890/1234567890/1234567890/1234567890")]
    public void A_manager_that_is_not_there_is_logged_once(string address)
    {
        var log = new FakeLogger();
        using (ServiceNotifications systemd = NotifySocket.NotificationsTo(address, log))
        {
            systemd.Ready("fine");
            systemd.Status("fine");
        }

        Assert.That(log.Collector.GetSnapshot(), Has.Count.EqualTo(1));
        Assert.That(log.LatestRecord.Message, Does.StartWith("cannot notify systemd at the socket in NOTIFY_SOCKET: "));
    }

    [Test]
    public void A_failure_after_a_success_is_logged_again()
    {
        var log = new FakeLogger();
        var manager = new FailingManager();
        using (var systemd = new ServiceNotifications(manager, log))
        {
            foreach (string status in new[] { "fails", "fails", "arrives", "fails" })
            {
                systemd.Status(status);
            }
        }

        Assert.That(log.Collector.GetSnapshot(), Has.Count.EqualTo(2));
        Assert.That(manager.Received, Is.EqualTo(new[] { "STATUS=arrives" }));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task A_manager_that_does_not_read_blocks_nobody_and_reads_later_what_there_is_room_for(CancellationToken cancelled)
    {
        var log = new FakeLogger();
        using var manager = new NotifySocket();
        int before = manager.Fill();
        using ServiceNotifications systemd = manager.Notifications(log);
        await Task.Run(
            () =>
            {
                for (int i = 0; i < 1000; i++)
                {
                    systemd.Watchdog();
                    systemd.Status($"{i}");
                }
            },
            cancelled).WaitAsync(cancelled);
        Assert.That(log.Collector.GetSnapshot(), Has.Count.EqualTo(1));
        Assert.That(log.LatestRecord.Message, Does.Contain("is not being read"));

        string[] read = [.. manager.Rest().Skip(before)];
        int[] statuses =
        [
            .. read.Where(m => m.StartsWith("STATUS=", StringComparison.Ordinal))
                .Select(m => int.Parse(m["STATUS=".Length..], CultureInfo.InvariantCulture)),
        ];
        Assert.That(before, Is.Positive);
        Assert.That(read, Has.Length.InRange(ServiceNotifications.Capacity, ServiceNotifications.Capacity + 1), "one may be under way");
        Assert.That(statuses, Is.Ordered.Ascending);
        systemd.Status("again");
        Assert.That(manager.Next(), Is.EqualTo("STATUS=again"));
    }

    [Test]
    public void Pings_that_wait_are_one()
    {
        using var reads = new ManualResetEventSlim();
        var manager = new FailingManager { Reads = reads };
        using (var systemd = new ServiceNotifications(manager, new FakeLogger()))
        {
            systemd.Status("first");
            Assert.That(manager.Asked.Wait(DaemonProcess.Deadline), Is.True);
            for (int i = 0; i < 5; i++)
            {
                systemd.Watchdog();
            }

            reads.Set();
        }

        Assert.That(manager.Received, Is.EqualTo(new[] { "STATUS=first", "WATCHDOG=1" }));
    }

    [Test]
    [CancelAfter(60_000)]
    public async Task The_end_does_not_wait_for_a_manager_that_does_not_read(CancellationToken cancelled)
    {
        using var reads = new ManualResetEventSlim();
        var systemd = new ServiceNotifications(new FailingManager { Reads = reads }, new FakeLogger());
        systemd.Stopping("draining");
        await Task.Run(systemd.Dispose, cancelled).WaitAsync(cancelled);
        reads.Set();
    }

    [TestCase("8:4711", "socket:[4711]", ExpectedResult = true)]
    [TestCase("8:4711", "socket:[14711]", ExpectedResult = false)]
    [TestCase("8:4711", "/dev/pts/3", ExpectedResult = false)]
    [TestCase("8:4711", null, ExpectedResult = false)]
    [TestCase("4711", "socket:[4711]", ExpectedResult = false)]
    [TestCase("8:", "socket:[]", ExpectedResult = false)]
    [TestCase("", "socket:[4711]", ExpectedResult = false)]
    [TestCase(null, "socket:[4711]", ExpectedResult = false)]
    public bool The_journal_is_known_by_its_stream(string? stream, string? output) => ServiceEnvironment.OutputIsJournal(stream, output);

    /// <summary>Refuses what says "fails", and reads nothing before it may.</summary>
    private sealed class FailingManager : ISystemdNotifier
    {
        public ManualResetEventSlim? Reads { get; init; }

        public ManualResetEventSlim Asked { get; } = new();

        public List<string> Received { get; } = [];

        public bool IsEnabled => true;

        public void Notify(ServiceState state)
        {
            Asked.Set();
            Reads?.Wait();
            string message = state.ToString();
            if (message.Contains("fails", StringComparison.Ordinal))
            {
                throw new SocketException((int)SocketError.ConnectionRefused);
            }

            Received.Add(message);
        }
    }
}
