using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Health;
using L4Balancer.Core.Ports;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Probing;

/// <summary>
/// One connect to a backend and, if its type requires it, the exchange that follows; reused for other backends. The prober's loop calls
/// it; only <paramref name="ended"/> is called by the runtime's threads, exactly once for each <see cref="Start"/> that returned null.
/// </summary>
internal sealed class Probe(Action<Probe> ended) : SocketAsyncEventArgs(true)
{
    /// <summary>
    /// SO_LINGER of zero seconds (socket(7), on every platform): close sends a reset. A FIN would leave TIME_WAIT, which at 10,000 backends
    /// would occupy many of the local ports for no benefit.
    /// </summary>
    private static readonly LingerOption ResetOnClose = new(enable: true, seconds: 0);

    private Socket? _socket;
    private Exchange? _exchange;
    private SendProxy _sendProxy;
    private volatile Conversation? _conversation;
    private ProbeVerdict _verdict;

    /// <summary>The target that gets the verdict; null if the verdict is no longer wanted.</summary>
    public ProbeTarget? Target { get; private set; }

    /// <returns>The verdict if it is known at once; null if the probe is in flight.</returns>
    public ProbeVerdict? Start(ProbeTarget target)
    {
        ProbeVerdict? verdict = TryStart(target);
        if (verdict is not null)
        {
            Close();
        }

        return verdict;
    }

    /// <summary>Cuts the probe short, because its verdict is no longer wanted. It still ends with a call of the callback.</summary>
    public void Abandon()
    {
        Target = null;
        _socket?.Dispose();
    }

    /// <summary>
    /// Whether the kernel holds something of the backend that this process has not looked at yet, or the exchange waits for this process rather
    /// than for the backend: then the deadline proves nothing.
    /// </summary>
    public bool IsBehind
    {
        get
        {
            try
            {
                return _socket is not { } socket
                    || (_conversation is { } conversation
                        ? !conversation.IsWaiting || socket.Poll(TimeSpan.Zero, SelectMode.SelectRead)
                        : socket.Poll(TimeSpan.Zero, SelectMode.SelectWrite) || socket.Poll(TimeSpan.Zero, SelectMode.SelectError));
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // It has just ended, and reports that.
                return true;
            }
        }
    }

    /// <summary>How often its deadline was moved because this process was late.</summary>
    public int Extensions { get; set; }

    /// <summary>The verdict if the deadline passed now.</summary>
    public ProbeVerdict TooLate(TimeSpan timeout) => _conversation?.Stage switch
    {
        null => ProbeVerdict.TooLate(ProbeOutcome.Failure, "answer", timeout),
        ProbeStage.Handshake => ProbeVerdict.TooLate(ProbeOutcome.Unfit, "TLS handshake", timeout),
        ProbeStage.Answer => ProbeVerdict.TooLate(ProbeOutcome.Unfit, "answer to GET", timeout),
        ProbeStage.Upgrade => ProbeVerdict.TooLate(ProbeOutcome.Unfit, "answer to the upgrade", timeout),
        ProbeStage.Expected => ProbeVerdict.TooLate(ProbeOutcome.Unfit, "answer with what is expected", timeout),
        ProbeStage.Connack => ProbeVerdict.TooLate(ProbeOutcome.Unfit, "CONNACK", timeout),
        _ => ProbeVerdict.TooLate(ProbeOutcome.Unfit, "pong", timeout),
    };

    /// <summary>Returns the verdict, after the probe has ended. A backend that was only connected to is reset.</summary>
    /// <param name="closing">A conversation that should be closed in an orderly way; the caller owns it now.</param>
    public ProbeVerdict Finish(out Conversation? closing)
    {
        ProbeVerdict verdict = _conversation is null ? OfConnect() : _verdict;
        closing = Target is not null && verdict.Outcome == ProbeOutcome.Success ? _conversation : null;
        if (closing is not null)
        {
            (_conversation, _socket) = (null, null);
        }

        Close();
        return verdict;
    }

    protected override void OnCompleted(SocketAsyncEventArgs e)
    {
        if (_exchange is null || OfConnect().Outcome != ProbeOutcome.Success)
        {
            ended(this);
        }
        else
        {
            Talk(_exchange);
        }
    }

    // Starts a task that is not awaited: it ends by calling ended.
    private void Talk(Exchange exchange)
    {
        _conversation = new Conversation(_socket!, exchange, _sendProxy);
        _ = TalkAsync(_conversation);
    }

    private async Task TalkAsync(Conversation conversation)
    {
        _verdict = await conversation.RunAsync().ConfigureAwait(false);
        ended(this);
    }

    private ProbeVerdict OfConnect()
    {
        // On loopback the kernel may choose the target's own port, on which no socket listens, and TCP's simultaneous open (RFC 9293, 3.5)
        // then connects the socket to itself.
        bool isUnix = RemoteEndPoint!.AddressFamily == AddressFamily.Unix;
        bool isSelfConnect = !isUnix && SocketError == SocketError.Success && RemoteEndPoint.Equals(LocalEndPoint());
        return ProbeVerdict.OfConnect(isSelfConnect ? SocketError.ConnectionRefused : SocketError, isUnix);
    }

    // Null if the probe was abandoned meanwhile.
    private EndPoint? LocalEndPoint()
    {
        try
        {
            return _socket!.LocalEndPoint;
        }
        catch (ObjectDisposedException)
        {
            return null;
        }
    }

    private ProbeVerdict? TryStart(ProbeTarget target)
    {
        HostAddress destination = target.Address;
        SourceRotation sources = target.Pool.Sources;
        if (!target.IsUnix && sources.CountFor(destination) == 0)
        {
            return ProbeVerdict.NoSource();
        }

        HostAddress? source = target.IsUnix ? null : sources.At(destination, sources.NextTurn(), step: 0).Address;
        try
        {
            _socket = SocketEndPoint.Open(target.Remote);
            _socket.LingerState = ResetOnClose;
            if (source is { } address && SourceBinding.Bind(_socket, address) is { } failure)
            {
                return ProbeVerdict.OfSource(address, failure);
            }

            RemoteEndPoint = target.Remote;
            Target = target;
            Extensions = 0;
            _exchange = target.Exchange;
            _sendProxy = target.SendProxy;
            if (!target.IsUnix)
            {
                _socket.NoDelay = _exchange is not null;
                if (_exchange is null)
                {
                    StayHalfOpen(_socket);
                }
            }

            if (_socket.ConnectAsync(this))
            {
                return null;
            }

            ProbeVerdict connected = OfConnect();
            if (_exchange is null || connected.Outcome != ProbeOutcome.Success)
            {
                return connected;
            }

            Talk(_exchange);
            return null;
        }
        catch (SocketException e)
        {
            // No descriptor, or no such address family on this host. Errors of connect(2) itself are returned as values.
            return new ProbeVerdict(ProbeOutcome.LocalError, $"no socket: {e.SocketErrorCode}");
        }
        catch (Exception e)
        {
            // An internal fault must not be blamed on the backend, nor end the loop of all probes.
            return ProbeVerdict.Ours(e);
        }
    }

    // The last ACK of the handshake is delayed, and the reset overtakes it: the connection never leaves the backend's SYN queue, so that its
    // application does not accept it (the checks of HAProxy do the same). A kernel may still send the ACK; then the application sees a reset.
    private static void StayHalfOpen(Socket socket)
    {
        if (OperatingSystem.IsLinux())
        {
            using var descriptor = new BorrowedDescriptor(socket);
            TcpSocket.SetOption(descriptor.Number, Libc.IPPROTO_TCP, Libc.TCP_QUICKACK, 0);
        }
    }

    private void Close()
    {
        Target = null;
        _conversation?.Dispose();
        _conversation = null;
        _socket?.Dispose();
        _socket = null;
    }
}
