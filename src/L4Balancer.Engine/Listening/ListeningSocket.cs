using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Listening;

/// <summary>
/// One bound address. All threads share one socket, without SO_REUSEPORT: a port in use is an error, no queued connection is lost when
/// threads change, and the socket can be handed on. Accepted sockets inherit the options set on it (tcp(7)).
/// Only <see cref="ListeningSockets{TSocket}"/> changes it; any thread may read <see cref="Target"/>.
/// </summary>
/// <param name="descriptor">-1 if the platform is not Linux; options and filter are not used then.</param>
/// <param name="shared">It was bound with SO_REUSEPORT, which has to be cleared later.</param>
/// <param name="inherited">Another process has bound it, and holds it as well.</param>
internal abstract class ListeningSocket(int descriptor, Endpoint endpoint, Endpoint requested, ListenerRoute target, bool shared, bool inherited)
    : IDisposable
{
    private ListenerRoute _target = target;
    private readonly BufferSize _sendBuffer = BufferSize.OfSending();
    private readonly BufferSize _receiveBuffer = BufferSize.OfReceiving();
    private string _congestionControl = "";
    private bool _shared = shared;
    private volatile bool _wasFiltered;
    private bool _leavesFile;

    /// <summary>The file of a UNIX socket that was bound here.</summary>
    private readonly SocketFile? _file = endpoint.IsUnix && !inherited ? new SocketFile(endpoint.UnixPath) : null;

    public int Descriptor { get; } = descriptor;

    /// <summary>The bound address, with the port that the kernel chose if port 0 was requested.</summary>
    public Endpoint Endpoint { get; } = endpoint;

    /// <summary>The address as written in the configuration.</summary>
    public Endpoint Requested { get; set; } = requested;

    /// <summary>The current destination of its connections: replaced with each snapshot, read once per connection.</summary>
    public ListenerRoute Target
    {
        get => Volatile.Read(ref _target);
        set => Volatile.Write(ref _target, value);
    }

    public bool IsRetiring { get; private set; }

    /// <summary>How often it has been retired or returned; distinguishes one retirement from the next.</summary>
    public int RetirementEpoch { get; private set; }

    /// <summary>Whether another process has bound it and holds it as well (systemd): closing it would not stop the kernel listening.</summary>
    public bool IsInherited { get; } = inherited;

    /// <summary>It was to be bound for Multipath TCP, but the kernel could not.</summary>
    public bool LacksMultipath { get; protected init; }

    /// <summary>Bound for Multipath TCP: plain connections that it accepts do not inherit every option (see <see cref="Apply"/>).</summary>
    public bool IsMultipath { get; protected init; }

    /// <summary>
    /// Whether it may serve again after its retirement has begun. The path of a UNIX socket is removed then, and a socket cannot be bound twice.
    /// </summary>
    public bool MayReturn => !IsRetiring || _file is null;

    /// <summary>Whether it ever had a filter. Accepted sockets inherit the listening socket's filter.</summary>
    public bool WasFiltered => _wasFiltered;

    /// <summary>Calls listen(2). A repeated call only changes the backlog.</summary>
    public abstract SocketError Listen(int backlog);

    /// <summary>Closes the socket. The kernel resets connections that are still queued.</summary>
    public abstract void Dispose();

    /// <summary>
    /// Whether bind(2) returns EADDRINUSE for that address as long as this socket exists: one of the two is the wildcard, and neither has
    /// SO_REUSEPORT.
    /// </summary>
    public bool Excludes(Endpoint other) => !Endpoint.IsUnix && !other.IsUnix && Endpoint.Port == other.Port && Endpoint != other
        && (Endpoint.Address.IsAny || other.Address.IsAny)
        && (Endpoint.Address.IsV4 == other.Address.IsV4 || TakesBothFamilies);

    /// <summary>An inherited [::] without IPV6_V6ONLY.</summary>
    public bool TakesBothFamilies =>
        Descriptor >= 0 && !Endpoint.IsUnix && Endpoint.Address == HostAddress.Any6 && TcpSocket.Option(Descriptor, Libc.IPPROTO_IPV6, Libc.IPV6_V6ONLY).Value == 0;

    /// <summary>
    /// Sets or clears SO_REUSEPORT (Linux 3.9) after bind and listen. While it is set, other sockets that have it too may be bound beside this
    /// one; bind(2) checks it only at that moment. An inherited socket keeps the setting that it came with.
    /// </summary>
    public void SharePort(bool share)
    {
        if (Descriptor < 0)
        {
            return;
        }

        if (share && !_shared && TcpSocket.Option(Descriptor, Libc.SOL_SOCKET, Libc.SO_REUSEPORT).Value == 0)
        {
            _shared = true;
            TcpSocket.SetOption(Descriptor, Libc.SOL_SOCKET, Libc.SO_REUSEPORT, 1);
        }
        else if (!share && _shared)
        {
            _shared = false;
            TcpSocket.SetOption(Descriptor, Libc.SOL_SOCKET, Libc.SO_REUSEPORT, 0);
        }
    }

    /// <summary>
    /// Sets the options that future connections inherit; existing connections keep theirs. TCP_NODELAY, SO_OOBINLINE (urgent data stays in
    /// the stream, from the first byte on), TCP_NOTSENT_LOWAT (Linux 3.12), SO_SNDBUF and SO_RCVBUF (before listen(2): the scale of the window is
    /// fixed in the handshake), TCP_USER_TIMEOUT (Linux 2.6.37), TCP_CONGESTION (Linux 2.6.13), TCP_DEFER_ACCEPT (Linux 2.4), keepalive as in
    /// tcp(7). An option that the kernel lacks is skipped: ENOPROTOOPT is tolerated for all, and ENOENT and EPERM for
    /// TCP_CONGESTION, because modules or rights may change. A UNIX socket has none of them.
    /// </summary>
    public void Apply(ListenerSettings settings)
    {
        if (Descriptor < 0 || Endpoint.IsUnix)
        {
            return;
        }

        if (settings.Keepalive.Idle > TimeSpan.Zero)
        {
            SocketOptions.SetKeepalive(Descriptor, settings.Keepalive);
        }
        else
        {
            TcpSocket.SetOption(Descriptor, Libc.SOL_SOCKET, Libc.SO_KEEPALIVE, 0);
        }

        SocketOptions.SetUserTimeout(Descriptor, settings.UserTimeout);
        SocketOptions.Apply(Descriptor, TimeSpan.Zero, "");
        _sendBuffer.Set(Descriptor, settings.SendBuffer.Bytes);
        _receiveBuffer.Set(Descriptor, settings.ReceiveBuffer.Bytes);
        SetTcp(Libc.TCP_DEFER_ACCEPT, (int)settings.DeferAccept.TotalSeconds);
        if (settings.CongestionControl != _congestionControl)
        {
            // No call clears the choice, so the system's default is set.
            string name = settings.CongestionControl.Length > 0 ? settings.CongestionControl : CongestionControl.OfSystem();
            CongestionControl.Set(Descriptor, name);
            _congestionControl = settings.CongestionControl;
        }
    }

    /// <summary>
    /// Retires a socket whose address has left the configuration: new SYNs are dropped, so that clients retry and reach the next listener, and
    /// handshakes in progress are completed. Accepts are no longer deferred; a client whose accept is deferred and that sends nothing
    /// within the second is lost. The path of a UNIX socket is removed, so that clients no longer find it; those that are connecting are served.
    /// </summary>
    /// <returns>False if the platform has no such filter.</returns>
    public bool BeginRetirement()
    {
        IsRetiring = true;
        RetirementEpoch++;
        if (Endpoint.IsUnix)
        {
            RemoveFile();
            return true;
        }

        if (Descriptor < 0)
        {
            return false;
        }

        _wasFiltered = true;
        SetTcp(Libc.TCP_DEFER_ACCEPT, 0);
        return !SynFilter.Attach(Descriptor).IsError;
    }

    /// <summary>Reverts a retirement: the address is in the configuration again before the second was over.</summary>
    public void CancelRetirement()
    {
        IsRetiring = false;
        RetirementEpoch++;
        if (Descriptor >= 0 && !Endpoint.IsUnix)
        {
            SynFilter.Detach(Descriptor);
        }
    }

    /// <summary>Another process listens on the same socket, and the file of a UNIX socket is its to remove.</summary>
    public void LeaveFile() => _leavesFile = true;

    /// <summary>
    /// No other process has the socket any more: its file is ours, and what that process has changed on the socket is set again. It may also have
    /// retired it before it ended.
    /// </summary>
    public void MakeOwn()
    {
        _leavesFile = false;
        if (Descriptor >= 0 && !Endpoint.IsUnix)
        {
            SynFilter.Detach(Descriptor);
            Apply(Target.Listener.Settings);
        }
    }

    /// <summary>Removes the file of a UNIX socket that was bound here.</summary>
    protected void RemoveFile()
    {
        if (!_leavesFile)
        {
            _file?.Remove();
        }
    }

    private void SetTcp(int option, int value) => TcpSocket.SetOption(Descriptor, Libc.IPPROTO_TCP, option, value);
}
