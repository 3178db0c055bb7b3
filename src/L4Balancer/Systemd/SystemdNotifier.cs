using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace L4Balancer.Systemd;

/// <summary>
/// sd_notify(3) by hand: one datagram of <c>KEY=value</c> lines to the socket that NOTIFY_SOCKET names. Without that variable every
/// call does nothing. Any thread.
/// </summary>
internal sealed class SystemdNotifier : IDisposable
{
    public const string Variable = "NOTIFY_SOCKET";

    private readonly Socket? _socket;
    private readonly UnixDomainSocketEndPoint? _manager;

    /// <param name="address">The value of NOTIFY_SOCKET: a path, or with a leading @ a name in the abstract namespace (unix(7)).</param>
    public SystemdNotifier(string? address)
    {
        if (string.IsNullOrEmpty(address) || address[0] is not ('/' or '@'))
        {
            return;
        }

        _manager = new UnixDomainSocketEndPoint(address[0] == '@' ? "\0" + address[1..] : address);

        // A manager that does not read must not stop the daemon: its queue is short (net.unix.max_dgram_qlen).
        _socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { SendTimeout = 1000 };
    }

    public bool IsEnabled => _socket is not null;

    /// <summary>Connections are taken from now on.</summary>
    /// <returns>False where the manager could not be told.</returns>
    public bool Ready(string status) => Send($"READY=1\nSTATUS={status}");

    /// <summary>
    /// The configuration is being read again; <see cref="Ready"/> says that it is done. The time is CLOCK_MONOTONIC in microseconds,
    /// which the stopwatch counts from; Type=notify-reload wants it.
    /// </summary>
    public bool Reloading() => Send(string.Create(
        CultureInfo.InvariantCulture, $"RELOADING=1\nMONOTONIC_USEC={(long)Stopwatch.GetElapsedTime(0).TotalMicroseconds}"));

    /// <summary>What is being done, start, reload or stop, takes this long from now on.</summary>
    public bool ExtendTimeout(TimeSpan time) => Send(string.Create(
        CultureInfo.InvariantCulture, $"EXTEND_TIMEOUT_USEC={(long)time.TotalMicroseconds}"));

    /// <summary>The process makes progress.</summary>
    public bool Watchdog() => Send("WATCHDOG=1");

    /// <summary>The orderly end has begun.</summary>
    public bool Stopping(string status) => Send($"STOPPING=1\nSTATUS={status}");

    /// <summary>What <c>systemctl status</c> shows.</summary>
    public bool Status(string status) => Send($"STATUS={status}");

    public void Dispose() => _socket?.Dispose();

    private bool Send(string message)
    {
        if (_socket is null)
        {
            return true;
        }

        try
        {
            lock (_socket)
            {
                _socket.SendTo(Encoding.UTF8.GetBytes(message), _manager!);
            }

            return true;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }
}
