using System.Net.Sockets;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Health;
using L4Balancer.Core.Ports;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Probing;

/// <summary>
/// One connect to a backend, used again and again for others. The prober's loop calls it; <paramref name="ended"/> alone comes
/// from the runtime's threads, exactly once for each <see cref="Start"/> that answered null.
/// </summary>
internal sealed class Probe(Action<Probe> ended) : SocketAsyncEventArgs(true)
{
    /// <summary>
    /// SO_LINGER of zero seconds (socket(7), everywhere): close resets. A FIN would leave TIME_WAIT, which at 10,000 backends keeps
    /// a good part of the local ports for nothing.
    /// </summary>
    private static readonly LingerOption ResetOnClose = new(enable: true, seconds: 0);

    private Socket? _socket;

    /// <summary>Whom the answer is for; null where nobody waits for it any more.</summary>
    public ProbeTarget? Target { get; private set; }

    /// <returns>The verdict where it is clear at once; null where the connect is in flight.</returns>
    public ProbeVerdict? Start(ProbeTarget target)
    {
        ProbeVerdict? verdict = TryStart(target);
        if (verdict is not null)
        {
            Close();
        }

        return verdict;
    }

    /// <summary>Nobody waits any more: the connect is cut short. It still ends in its time.</summary>
    public void Abandon()
    {
        Target = null;
        _socket?.Dispose();
    }

    /// <summary>After it has ended: the verdict, and the reset for a backend that answered.</summary>
    public ProbeVerdict Finish()
    {
        // On loopback the kernel may choose the very port that nobody listens on, and TCP's simultaneous open (RFC 9293, 3.5) then
        // connects the socket to itself.
        bool metItself = SocketError == SocketError.Success && Target is { } target && target.Remote.Equals(_socket!.LocalEndPoint);
        var verdict = ProbeVerdict.OfConnect(metItself ? SocketError.ConnectionRefused : SocketError);
        Close();
        return verdict;
    }

    protected override void OnCompleted(SocketAsyncEventArgs e) => ended(this);

    private ProbeVerdict? TryStart(ProbeTarget target)
    {
        HostAddress destination = target.Backend.Endpoint.Address;
        SourceRotation sources = target.Pool.Sources;
        if (sources.CountFor(destination) == 0)
        {
            return ProbeVerdict.NoSource();
        }

        SourceCell source = sources.At(destination, sources.NextTurn(), step: 0);
        try
        {
            _socket = new Socket(target.Remote.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { LingerState = ResetOnClose };
            if (source.Address is { } address && SourceBinding.Bind(_socket, address) is { } failure)
            {
                return ProbeVerdict.OfSource(address, failure);
            }

            RemoteEndPoint = target.Remote;
            Target = target;
            return _socket.ConnectAsync(this) ? null : ProbeVerdict.OfConnect(SocketError);
        }
        catch (SocketException e)
        {
            // No descriptor, or no such address family on this host: connect(2) itself answers by value.
            return new ProbeVerdict(ProbeOutcome.LocalError, $"no socket: {e.SocketErrorCode}");
        }
    }

    private void Close()
    {
        Target = null;
        _socket?.Dispose();
        _socket = null;
    }
}
