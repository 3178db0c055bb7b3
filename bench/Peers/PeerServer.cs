using System.Runtime.InteropServices;
using L4Balancer.Bench.Machine;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Bench.Peers;

/// <summary>
/// The backends of the bench: one process, one thread, raw epoll, so that they cost less than what stands before them. Bulk is read
/// with MSG_TRUNC (tcp(7): discarded without a copy) and sent from one prepared buffer.
/// </summary>
internal sealed unsafe class PeerServer : IDisposable
{
    public const byte AskCounters = (byte)'c';
    public const byte StopSources = (byte)'s';

    private const int BufferSize = 256 * 1024;
    private const int Backlog = 4096;
    private const ulong ListeningBit = 1UL << 40;
    private const uint Ending = Libc.EPOLLRDHUP | Libc.EPOLLHUP | Libc.EPOLLERR;

    private readonly EventPoll _poll = new(256);
    private readonly byte* _buffer = (byte*)NativeMemory.AllocZeroed(BufferSize);
    private readonly HashSet<int> _sources = [];
    private PeerCounters _counters;
    private bool _ended;

    /// <summary>Serves until the control connection ends.</summary>
    /// <param name="holders">Processes in whose network namespaces the backends listen; empty: in this one.</param>
    public static int Run(ushort basePort, params IReadOnlyList<int> holders)
    {
        ResourceLimits.RaiseDescriptorLimit(out _);
        using var server = new PeerServer();
        foreach (PeerRole role in Enum.GetValues<PeerRole>())
        {
            ushort port = (ushort)(basePort + (int)role);
            if (holders.Count == 0 || role == PeerRole.Control)
            {
                server.Listen(role, port);
                continue;
            }

            foreach (int holder in holders)
            {
                NetworkHost.In(holder, () => server.Listen(role, port));
            }
        }

        while (!server._ended)
        {
            server.Turn();
        }

        return 0;
    }

    public void Dispose()
    {
        _poll.Dispose();
        NativeMemory.Free(_buffer);
    }

    private void Listen(PeerRole role, ushort port)
    {
        int socket = TcpSocket.Open(HostAddress.Any4).Value;
        TcpSocket.SetOption(socket, Libc.SOL_SOCKET, Libc.SO_REUSEADDR, 1);
        SysResult bound = TcpSocket.Bind(socket, new Endpoint(HostAddress.Any4, port));
        if (bound.IsError || TcpSocket.Listen(socket, Backlog).IsError)
        {
            throw new InvalidOperationException($"port {port} cannot be listened on: {bound.Errno}");
        }

        _poll.Add(socket, Libc.EPOLLIN, Tag(socket, role) | ListeningBit);
    }

    private void Turn()
    {
        int count = _poll.Wait(-1);
        for (int i = 0; i < count; i++)
        {
            ulong tag = _poll.Data(i);
            int socket = (int)(tag & 0xFFFF_FFFF);
            var role = (PeerRole)((tag >> 32) & 0xFF);
            if ((tag & ListeningBit) != 0)
            {
                Accept(socket, role);
                continue;
            }

            switch (role)
            {
                case PeerRole.Echo:
                    Echo(socket, _poll.Events(i));
                    break;
                case PeerRole.Source:
                    Feed(socket, _poll.Events(i));
                    break;
                case PeerRole.Sink:
                    Discard(socket);
                    break;
                default:
                    Answer(socket);
                    break;
            }
        }
    }

    private void Accept(int listening, PeerRole role)
    {
        for (SysResult accepted = TcpSocket.Accept(listening, out _); !accepted.IsError; accepted = TcpSocket.Accept(listening, out _))
        {
            int socket = accepted.Value;
            TcpSocket.SetOption(socket, Libc.IPPROTO_TCP, Libc.TCP_NODELAY, 1);
            uint events = role switch
            {
                PeerRole.Echo => Libc.EPOLLIN | Libc.EPOLLRDHUP | Libc.EPOLLET,
                PeerRole.Source => Libc.EPOLLIN | Libc.EPOLLOUT,
                _ => Libc.EPOLLIN,
            };
            if (role == PeerRole.Source)
            {
                _sources.Add(socket);
            }

            if (role != PeerRole.Control)
            {
                _counters.Accepted++;
                _counters.Open++;
            }

            _poll.Add(socket, events, Tag(socket, role));
        }
    }

    // Edge-triggered: a short read has emptied the socket, unless an end came with the same edge.
    private void Echo(int socket, uint events)
    {
        int received;
        do
        {
            SysResult read = TcpSocket.Receive(socket, _buffer, BufferSize);
            if (read.Errno == Errno.EAGAIN)
            {
                return;
            }

            received = read.IsError ? 0 : read.Value;
            bool sent = received > 0 && TcpSocket.Send(socket, _buffer, received).Value == received;
            if (!sent)
            {
                Close(socket, error: read.IsError || received > 0);
                return;
            }
        }
        while ((events & Ending) != 0 || received == BufferSize);
    }

    private void Discard(int socket)
    {
        SysResult read = TcpSocket.Receive(socket, _buffer, int.MaxValue, Libc.MSG_TRUNC);
        if (read.Errno == Errno.EAGAIN)
        {
            return;
        }

        if (read.IsError || read.Value == 0)
        {
            Close(socket, read.IsError);
            return;
        }

        _counters.Received += read.Value;
    }

    private void Feed(int socket, uint events)
    {
        if ((events & (Libc.EPOLLIN | Libc.EPOLLHUP | Libc.EPOLLERR)) != 0)
        {
            SysResult read = TcpSocket.Receive(socket, _buffer, 1);
            if (read.Errno != Errno.EAGAIN)
            {
                // If the sender was not stopped, its client has left too early.
                Close(socket, read.IsError || _sources.Contains(socket));
                return;
            }
        }

        if ((events & Libc.EPOLLOUT) != 0 && _sources.Contains(socket))
        {
            SysResult sent = TcpSocket.Send(socket, _buffer, BufferSize);
            _counters.Sent += sent.IsError ? 0 : sent.Value;
        }
    }

    private void Answer(int socket)
    {
        byte request;
        if (TcpSocket.Receive(socket, &request, 1).Value != 1)
        {
            _ended = true;
            return;
        }

        if (request == StopSources)
        {
            foreach (int source in _sources)
            {
                TcpSocket.ShutdownWrite(source);
                _poll.Remove(source);
                _poll.Add(source, Libc.EPOLLIN, Tag(source, PeerRole.Source));
            }

            _sources.Clear();
        }

        PeerCounters counters = _counters;
        TcpSocket.Send(socket, (byte*)&counters, sizeof(PeerCounters));
    }

    private void Close(int socket, bool error)
    {
        _counters.Errors += error ? 1 : 0;
        _counters.Open--;
        _sources.Remove(socket);
        TcpSocket.Close(socket);
    }

    private static ulong Tag(int socket, PeerRole role) => (uint)socket | ((ulong)role << 32);
}
