using System.Net.Sockets;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Tests.Sockets;

[Platform("Linux")]
public sealed class SocketOptionsTests
{
    private const int IpProtoTcp = 6;
    private const int UserTimeout = 18;

    private Socket _socket = null!;

    [SetUp]
    public void Open() => _socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    [TearDown]
    public void Close() => _socket.Dispose();

    [Test]
    public void Small_writes_are_not_held_back()
    {
        SocketOptions.Apply(_socket, new KeepaliveSettings(), TimeSpan.Zero, "");
        Assert.That(_socket.NoDelay, Is.True);
    }

    [Test]
    public void Keepalive_is_set_in_whole_seconds_rounded_up()
    {
        var keepalive = new KeepaliveSettings { Idle = TimeSpan.FromSeconds(61), Interval = TimeSpan.FromMilliseconds(1200), Count = 4 };
        SocketOptions.Apply(_socket, keepalive, TimeSpan.Zero, "");
        Assert.That(Option(SocketOptionLevel.Socket, SocketOptionName.KeepAlive), Is.Not.Zero);
        Assert.That(Option(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime), Is.EqualTo(61));
        Assert.That(Option(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval), Is.EqualTo(2));
        Assert.That(Option(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount), Is.EqualTo(4));
    }

    [Test]
    public void An_idle_time_of_zero_leaves_keepalive_off()
    {
        SocketOptions.Apply(_socket, new KeepaliveSettings { Idle = TimeSpan.Zero }, TimeSpan.Zero, "");
        Assert.That(Option(SocketOptionLevel.Socket, SocketOptionName.KeepAlive), Is.Zero);
    }

    [Test]
    public void Times_beyond_what_the_kernel_takes_are_cut_to_its_limits()
    {
        var keepalive = new KeepaliveSettings { Idle = TimeSpan.FromDays(7), Interval = TimeSpan.FromDays(7), Count = 1000 };
        SocketOptions.Apply(_socket, keepalive, TimeSpan.FromDays(365), "");
        Assert.That(Option(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime), Is.EqualTo(32_767));
        Assert.That(Option(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount), Is.EqualTo(127));
        Assert.That(UserTimeoutOfSocket(), Is.EqualTo(int.MaxValue));
    }

    [Test]
    public void The_user_timeout_is_set_in_milliseconds_and_zero_leaves_the_kernels()
    {
        SocketOptions.Apply(_socket, new KeepaliveSettings(), TimeSpan.Zero, "");
        Assert.That(UserTimeoutOfSocket(), Is.Zero);
        SocketOptions.Apply(_socket, new KeepaliveSettings(), TimeSpan.FromSeconds(1.5), "");
        Assert.That(UserTimeoutOfSocket(), Is.EqualTo(1500));
    }

    private int Option(SocketOptionLevel level, SocketOptionName name) => (int)_socket.GetSocketOption(level, name)!;

    private int UserTimeoutOfSocket()
    {
        var value = new byte[sizeof(int)];
        _socket.GetRawSocketOption(IpProtoTcp, UserTimeout, value);
        return BitConverter.ToInt32(value);
    }
}
