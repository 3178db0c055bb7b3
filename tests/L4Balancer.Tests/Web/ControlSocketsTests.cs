using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text;
using L4Balancer.Admin;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;
using L4Balancer.Web;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Web;

/// <summary>Which sockets that another process left are taken, and which are known to outlive this one.</summary>
[Platform("Linux")]
[SupportedOSPlatform("linux")]
internal sealed class ControlSocketsTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);
    private static readonly Endpoint AnyPort = new(HostAddress.From(IPAddress.Loopback), 0);
    private static readonly Endpoint AnyPort6 = new(HostAddress.From(IPAddress.IPv6Loopback), 0);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4b-");
    private ControlSockets _first = null!;
    private LineLog _log = null!;

    [OneTimeTearDown]
    public void Remove_the_folder() => _folder.Delete(recursive: true);

    [SetUp]
    public void Open()
    {
        _first = new ControlSockets([], NullLogger.Instance);
        _log = new LineLog();
    }

    [TearDown]
    public void Close() => _first.Dispose();

    [Test]
    public void A_socket_is_taken_for_its_address_whatever_its_port_where_the_configuration_leaves_it_open()
    {
        Endpoint metrics = Listening(_first.Tcp(ControlSockets.Metrics, AnyPort));
        Endpoint admin = Listening(_first.Tcp(ControlSockets.AdminTcp, AnyPort6));
        Endpoint dns = _first.Udp("dns-udp-0", AnyPort, Patience).Bound;
        using ControlSockets second = NumberedHost.HandedOver(_first, _log);
        Assert.That(Endpoint.From((IPEndPoint)second.Tcp(ControlSockets.AdminTcp, admin).Bound), Is.EqualTo(admin));
        Assert.That(Endpoint.From((IPEndPoint)second.Tcp(ControlSockets.Metrics, AnyPort).Bound), Is.EqualTo(metrics));
        Assert.That(second.Udp("dns-udp-1", dns, Patience).Bound, Is.EqualTo(dns));
        second.CloseRest();
        Assert.That(_log.Lines, Has.Count.EqualTo(3).And.All.Contains("goes on with the listening socket"));
        Assert.That(second.All.Select(static s => s.Name), Is.EquivalentTo(new[] { "admin-tcp", "metrics", "dns-udp-1" }));
    }

    [Test]
    public void One_of_another_address_or_kind_is_closed_with_a_line_of_the_log()
    {
        _first.Udp("metrics", AnyPort, Patience);
        Endpoint taken = Listening(_first.Tcp(ControlSockets.AdminTcp, AnyPort6));
        using (ControlSockets second = NumberedHost.HandedOver(_first, _log))
        {
            Endpoint metrics = Endpoint.From((IPEndPoint)second.Tcp(ControlSockets.Metrics, AnyPort).Bound);
            Assert.That(metrics.Address, Is.EqualTo(AnyPort.Address));
            second.CloseRest();
            Assert.That(_log.Lines.Order(), Is.EqualTo(new[]
            {
                "admin-tcp: nothing in this configuration has the address of the listening socket of the process before; it is closed",
                "metrics: nothing in this configuration has the address of the listening socket of the process before; it is closed",
            }));
        }

        // The first process's own is untouched.
        using var client = new TcpClient(AddressFamily.InterNetworkV6);
        client.Connect(taken.ToIPEndPoint());
        Assert.That(client.Connected, Is.True);
    }

    [Test]
    public void An_address_that_now_serves_something_else_is_taken_too_because_it_cannot_be_bound_twice()
    {
        Endpoint address = Listening(_first.Tcp(ControlSockets.AdminTcp, AnyPort));
        using ControlSockets second = NumberedHost.HandedOver(_first, _log);
        Assert.That(Endpoint.From((IPEndPoint)second.Tcp(ControlSockets.Metrics, address).Bound), Is.EqualTo(address));
    }

    [Test]
    public void The_file_of_the_local_socket_stays_over_the_end_of_each_process_but_the_last()
    {
        string path = Path.Combine(_folder.FullName, "over.sock");
        AdminSocket first = Create(path, _first);
        first.Listener.Listen();
        using ControlSockets handed = NumberedHost.HandedOver(_first, _log);
        handed.AreShared = true;

        // One that fails before it serves leaves the file to the other.
        using (AdminSocket fails = Create(path, handed))
        {
            Assert.That(fails.Listener.Bound.ToString(), Is.EqualTo(path));
        }

        Assert.That(Path.Exists(path), Is.True);
        using ControlSockets second = NumberedHost.HandedOver(_first, _log);
        AdminSocket serves = Create(path, second);
        _first.AreShared = true;
        first.Dispose();
        using (var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            client.Connect(new UnixDomainSocketEndPoint(path));
        }

        serves.Dispose();
        Assert.That(Path.Exists(path), Is.False);
    }

    [TestCase(false)]
    [TestCase(true)]
    public void A_local_socket_that_clients_no_longer_reach_is_bound_anew(bool isReplaced)
    {
        string path = Path.Combine(_folder.FullName, $"{isReplaced}.sock");
        using AdminSocket first = Create(path, _first);
        first.Listener.Listen();
        using ControlSockets second = NumberedHost.HandedOver(_first, _log);
        File.Delete(path);
        if (!isReplaced)
        {
            using AdminSocket serves = Create(path, second);
            serves.Listener.Listen();
            Assert.That(_log.Lines, Is.Empty);
            return;
        }

        using var other = new ControlSockets([], NullLogger.Instance);
        using AdminSocket replaced = Create(path, other);
        replaced.Listener.Listen();
        Assert.That(AdminSocket.TryCreate(path, second, out string fault), Is.Null);
        Assert.That(fault, Does.Contain("another daemon"));
    }

    [Test]
    public void The_ledger_knows_them_until_they_are_closed_and_no_listener_can_have_their_names()
    {
        string path = Path.Combine(_folder.FullName, "ledger");
        using ControlSocket before = _first.Tcp(ControlSockets.Metrics, AnyPort);
        using ConnectionLedger ledger = ConnectionLedger.TryCreate(
            path, new LedgerShape(1, 8, 1, Listening: 2), LedgerWriter.Current(), 1, 1, out string? fault)!;
        Assert.That(ledger, Is.Not.Null, fault);
        _first.Note(ledger);
        DatagramSocket after = _first.Udp("dns-udp-0", AnyPort, Patience);
        string text = Encoding.Latin1.GetString(File.ReadAllBytes(path + ".new"));
        Assert.That(text, Does.Contain("@metrics").And.Contain("@dns-udp-0"));
        Assert.That(ledger.AddListening(0, "wss"), Is.False, "both places are taken");
        before.Dispose();
        _first.Close(after);
        Assert.That(ledger.AddListening(0, "wss"), Is.True);
        _first.Note(null);
        Assert.That(Core.Config.BackendSettings.IsName("@metrics"), Is.False);
    }

    private static Endpoint Listening(ControlSocket socket)
    {
        socket.Listen();
        return Endpoint.From((IPEndPoint)socket.Bound);
    }

    private static AdminSocket Create(string path, ControlSockets sockets)
    {
        AdminSocket? socket = AdminSocket.TryCreate(path, sockets, out string fault);
        Assert.That(socket, Is.Not.Null, fault);
        return socket!;
    }
}
