using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Listening;

/// <summary>
/// One bound address. There is one socket for all threads, without SO_REUSEPORT: a port in use is an error, nothing queued is lost
/// when threads change, and it can be handed on. What is set on it here, the kernel passes on to every accepted socket (tcp(7)).
/// Changed by <see cref="ListeningSockets{TSocket}"/> only; <see cref="Target"/> is read by all.
/// </summary>
/// <param name="descriptor">-1 where the platform is not Linux: then there are neither options nor a filter.</param>
/// <param name="shared">It was bound with SO_REUSEPORT, which is to be taken back.</param>
internal abstract class ListeningSocket(int descriptor, Endpoint endpoint, Endpoint requested, Target target, bool shared) : IDisposable
{
    private Target _target = target;
    private string _congestionControl = "";
    private bool _shared = shared;
    private volatile bool _wasFiltered;

    public int Descriptor { get; } = descriptor;

    /// <summary>As bound: with the port that the kernel chose where 0 was asked for.</summary>
    public Endpoint Endpoint { get; } = endpoint;

    /// <summary>As the configuration has it.</summary>
    public Endpoint Requested { get; set; } = requested;

    /// <summary>Where its connections go now: replaced with each snapshot, read once per connection.</summary>
    public Target Target
    {
        get => Volatile.Read(ref _target);
        set => Volatile.Write(ref _target, value);
    }

    public bool IsRetiring { get; private set; }

    /// <summary>How often it has left or come back: tells one retirement from the next.</summary>
    public int Turns { get; private set; }

    /// <summary>A listening socket bequeaths its filter: an accepted one may have it.</summary>
    public bool WasFiltered => _wasFiltered;

    /// <summary>listen(2), also again: then the backlog changes and nothing else.</summary>
    public abstract SocketError Listen(int backlog);

    /// <summary>Closes it. What is still queued is reset by the kernel.</summary>
    public abstract void Dispose();

    /// <summary>
    /// Whether bind(2) answers EADDRINUSE for that address as long as this socket is there: one of the two is the wildcard, and neither
    /// has SO_REUSEPORT.
    /// </summary>
    public bool Excludes(Endpoint other) => Endpoint.Port == other.Port && Endpoint != other
        && (Endpoint.Address.IsAny || other.Address.IsAny)
        && (Endpoint.Address.IsV4 == other.Address.IsV4 || TakesBothFamilies);

    /// <summary>An inherited [::] without IPV6_V6ONLY.</summary>
    public bool TakesBothFamilies =>
        Descriptor >= 0 && Endpoint.Address == HostAddress.Any6 && TcpSocket.Option(Descriptor, Libc.IPPROTO_IPV6, Libc.IPV6_V6ONLY).Value == 0;

    /// <summary>
    /// SO_REUSEPORT (Linux 3.9) after bind and listen: that other sockets which have it too may be bound beside this one, until it is taken
    /// back. bind(2) looks at it at that moment only. One that it came with stays.
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
    /// What connections that come from now on inherit; connections that are there keep what they have. TCP_NODELAY, SO_OOBINLINE (urgent data
    /// stays in the stream, from the first byte on), TCP_USER_TIMEOUT (Linux 2.6.37),
    /// TCP_CONGESTION (Linux 2.6.13), TCP_DEFER_ACCEPT (Linux 2.4), keepalive as in tcp(7). An option that the kernel lacks is left out:
    /// ENOPROTOOPT of any is tolerated, and ENOENT and EPERM of TCP_CONGESTION, because modules or rights may change.
    /// </summary>
    public void Apply(ListenerSettings settings)
    {
        if (Descriptor < 0)
        {
            return;
        }

        if (settings.Keepalive.Idle > TimeSpan.Zero)
        {
            SocketOptions.Keep(Descriptor, settings.Keepalive);
        }
        else
        {
            TcpSocket.SetOption(Descriptor, Libc.SOL_SOCKET, Libc.SO_KEEPALIVE, 0);
        }

        SocketOptions.SetUserTimeout(Descriptor, settings.UserTimeout);
        SocketOptions.Apply(Descriptor, TimeSpan.Zero, "");
        SetTcp(Libc.TCP_DEFER_ACCEPT, (int)settings.DeferAccept.TotalSeconds);
        if (settings.CongestionControl != _congestionControl)
        {
            // No call takes the choice back, so the system's is chosen.
            string name = settings.CongestionControl.Length > 0 ? settings.CongestionControl : CongestionControl.OfSystem();
            CongestionControl.Set(Descriptor, name);
            _congestionControl = settings.CongestionControl;
        }
    }

    /// <summary>
    /// It is not in the configuration any more: new SYNs are dropped, so that their clients come again to whoever listens next, and what is
    /// under way is let in. Accepts are not deferred any longer; a client whose accept is, and that says nothing within the second, is lost.
    /// </summary>
    /// <returns>False where the platform has no such filter.</returns>
    public bool Retire()
    {
        IsRetiring = true;
        Turns++;
        if (Descriptor < 0)
        {
            return false;
        }

        _wasFiltered = true;
        SetTcp(Libc.TCP_DEFER_ACCEPT, 0);
        return !SynFilter.Attach(Descriptor).IsError;
    }

    /// <summary>It is in the configuration again before its time was over.</summary>
    public void Return()
    {
        IsRetiring = false;
        Turns++;
        if (Descriptor >= 0)
        {
            SynFilter.Detach(Descriptor);
        }
    }

    private void SetTcp(int option, int value) => TcpSocket.SetOption(Descriptor, Libc.IPPROTO_TCP, option, value);
}
