using System.Net.Sockets;
using System.Text;
using L4Balancer.Systemd;

namespace L4Balancer.Tests.Systemd;

internal sealed class SystemdNotifierTests
{
    [TestCase("/")]
    [TestCase("@")]
    public void Ready_and_stopping_reach_the_manager(string kind)
    {
        string name = $"{Path.GetTempPath().TrimEnd('/')}/l4balancer-notify-{Guid.NewGuid():N}";
        string address = kind == "@" ? "@" + name : name;
        using Socket manager = Manager(address);
        using var notifier = new SystemdNotifier(address);

        Assert.That(notifier.Ready("1 of 1 backends up"), Is.True);
        Assert.That(Next(manager), Is.EqualTo("READY=1\nSTATUS=1 of 1 backends up"));
        Assert.That(notifier.Status("0 of 1 backends up"), Is.True);
        Assert.That(Next(manager), Is.EqualTo("STATUS=0 of 1 backends up"));
        Assert.That(notifier.Stopping("draining"), Is.True);
        Assert.That(Next(manager), Is.EqualTo("STOPPING=1\nSTATUS=draining"));
    }

    [TestCase(null)]
    [TestCase("")]
    [TestCase("vsock:2:1234")]
    public void Without_a_manager_nothing_is_said_and_nothing_fails(string? address)
    {
        using var notifier = new SystemdNotifier(address);
        Assert.That(notifier.IsEnabled, Is.False);
        Assert.That(notifier.Ready("fine"), Is.True);
    }

    [Test]
    public void A_manager_that_has_gone_is_reported_and_no_exception()
    {
        using var notifier = new SystemdNotifier("/nonexistent/notify");
        Assert.That(notifier.Ready("fine"), Is.False);
    }

    [TestCase("8:1", "abc", true, ExpectedResult = true)]
    [TestCase("8:1", "abc", false, ExpectedResult = false)]
    [TestCase("8:1", "", true, ExpectedResult = false)]
    [TestCase("", "abc", true, ExpectedResult = false)]
    public bool The_journal_is_known_by_its_stream(string stream, string invocation, bool redirected) =>
        ServiceEnvironment.OutputIsJournal(
            name => name switch { "JOURNAL_STREAM" => stream, "INVOCATION_ID" => invocation, _ => null }, redirected);

    private static Socket Manager(string address)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { ReceiveTimeout = 10_000 };
        socket.Bind(new UnixDomainSocketEndPoint(address[0] == '@' ? "\0" + address[1..] : address));
        return socket;
    }

    private static string Next(Socket manager)
    {
        var datagram = new byte[4096];
        return Encoding.UTF8.GetString(datagram, 0, manager.Receive(datagram));
    }
}
