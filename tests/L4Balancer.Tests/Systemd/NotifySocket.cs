using System.Net.Sockets;
using System.Text;
using L4Balancer.Systemd;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace L4Balancer.Tests.Systemd;

/// <summary>The socket of NOTIFY_SOCKET, on the side of the service manager.</summary>
internal sealed class NotifySocket : IDisposable
{
    private const string Variable = "NOTIFY_SOCKET";

    private static readonly Lock EnvironmentGate = new();

    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified)
    {
        ReceiveTimeout = (int)DaemonProcess.Deadline.TotalMilliseconds,
    };

    private readonly string _path = Path.Combine(Path.GetTempPath(), $"l4balancer-notify-{Guid.NewGuid():N}");

    public NotifySocket(bool isAbstract = false)
    {
        _socket.Bind(new UnixDomainSocketEndPoint(isAbstract ? "\0" + _path : _path));
        Address = isAbstract ? "@" + _path : _path;
    }

    /// <summary>The value of NOTIFY_SOCKET.</summary>
    public string Address { get; }

    /// <summary>Notifications to an address. It is read from the environment of this process, as in the daemon.</summary>
    public static ServiceNotifications NotificationsTo(string? address, ILogger log)
    {
        lock (EnvironmentGate)
        {
            string? before = Environment.GetEnvironmentVariable(Variable);
            Environment.SetEnvironmentVariable(Variable, address);
            try
            {
                return ServiceNotifications.ToManager(log);
            }
            finally
            {
                Environment.SetEnvironmentVariable(Variable, before);
            }
        }
    }

    public ServiceNotifications Notifications(ILogger? log = null) => NotificationsTo(Address, log ?? new FakeLogger());

    /// <summary>Sends to it until it takes no more.</summary>
    /// <returns>How many messages it took.</returns>
    public int Fill()
    {
        using var sender = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { Blocking = false };
        sender.Connect(_socket.LocalEndPoint!);
        for (int sent = 0; ; sent++)
        {
            sender.Send("STATUS=0"u8, SocketFlags.None, out SocketError error);
            if (error != SocketError.Success)
            {
                Assert.That(error, Is.EqualTo(SocketError.WouldBlock));
                return sent;
            }
        }
    }

    /// <summary>The next message; waits for it.</summary>
    public string Next()
    {
        var datagram = new byte[4096];
        return Encoding.UTF8.GetString(datagram, 0, _socket.Receive(datagram));
    }

    /// <summary>What comes until nothing has come for a while.</summary>
    public IEnumerable<string> Rest()
    {
        while (_socket.Poll(TimeSpan.FromMilliseconds(500), SelectMode.SelectRead))
        {
            yield return Next();
        }
    }

    /// <summary>Whether nothing comes for so long.</summary>
    public bool IsQuietFor(TimeSpan time) => !_socket.Poll(time, SelectMode.SelectRead);

    public async Task<string> NextAsync(CancellationToken cancelled)
    {
        var datagram = new byte[4096];
        return Encoding.UTF8.GetString(datagram, 0, await _socket.ReceiveAsync(datagram, cancelled));
    }

    public void Dispose()
    {
        _socket.Dispose();
        if (Address[0] != '@')
        {
            File.Delete(_path);
        }
    }
}
