using System.Runtime.Versioning;

namespace L4Balancer.Engine.Linux;

/// <summary>What became of a packet.</summary>
public enum PacketResult
{
    Done,

    /// <summary>Nothing could be sent, or nothing came, in the time allowed.</summary>
    TimedOut,

    /// <summary>The other end is closed, or its process has ended; what it sent before has been received.</summary>
    Ended,

    /// <summary>A packet came, but this process had no place for its descriptors (EMFILE): they are closed, the data is there.</summary>
    DescriptorsLost,

    /// <summary>The kernel refused.</summary>
    Refused,
}

/// <summary>
/// One end of a pair of SOCK_SEQPACKET sockets (unix(7)) that has no name: only the two processes that hold its ends can use it. Packets
/// keep their borders and carry descriptors. One thread at a time sends and one receives; <see cref="Shut"/> may be called by any.
/// </summary>
[SupportedOSPlatform("linux")]
public sealed unsafe class PacketPair : IDisposable
{
    /// <summary>Of one packet. The default send buffer (net.core.wmem_default, 208 KiB) takes two, with the kernel's own overhead.</summary>
    public const int LongestPacket = 64 * 1024;

    /// <summary>Descriptors of one packet: SCM_MAX_FD of the kernel is 253.</summary>
    public const int MostDescriptors = PacketSocket.MostDescriptors;

    private int _socket;

    private PacketPair(int socket) => _socket = socket;

    /// <summary>
    /// The process at the other end; its end counts as the end of the connection. Without it the end would not be seen while a keeper
    /// (<see cref="Keeper.KeeperProcess"/>), which has all descriptors of its daemon, lives on.
    /// </summary>
    public WatchedProcess? Peer { get; set; }

    /// <summary>The process that made the pair (SO_PEERCRED): for the end that was inherited, the process at the other end.</summary>
    public int Maker
    {
        get
        {
            int* credentials = stackalloc int[3]; // struct ucred: pid, uid, gid
            uint size = 3 * sizeof(int);
            return Libc.getsockopt(_socket, Libc.SOL_SOCKET, Libc.SO_PEERCRED, credentials, &size) == 0 ? credentials[0] : 0;
        }
    }

    /// <param name="other">The descriptor of the other end, which child processes inherit (no FD_CLOEXEC); the caller closes it.</param>
    /// <param name="fault">Why there is none, as text for a log.</param>
    public static PacketPair? TryCreate(out int other, out string? fault)
    {
        int* ends = stackalloc int[2];
        SysResult made = SysResult.From(Libc.socketpair(Libc.AF_UNIX, Libc.SOCK_SEQPACKET | Libc.SOCK_CLOEXEC, 0, ends));
        fault = made.IsError ? $"no pair of sockets: {made.Errno}" : null;
        other = made.IsError ? -1 : ends[1];
        return made.IsError ? null : new PacketPair(ends[0]);
    }

    /// <summary>Lets child processes inherit a descriptor, or not.</summary>
    public static void SetInherited(int descriptor, bool inherited) =>
        _ = Libc.fcntl(descriptor, Libc.F_SETFD, inherited ? 0 : Libc.FD_CLOEXEC);

    /// <summary>Closes a descriptor that a packet has brought, or the other end of a pair.</summary>
    public static void Close(int descriptor) => _ = Libc.close(descriptor);

    /// <summary>The end of a pair that this process has inherited, which its own child processes will not inherit.</summary>
    /// <returns>Null if the descriptor is not an inherited socket of this kind: it is left alone.</returns>
    public static PacketPair? TryTake(int descriptor)
    {
        if (descriptor < 3 || !Descriptors.IsInheritedSocket(descriptor)
            || TcpSocket.Option(descriptor, Libc.SOL_SOCKET, Libc.SO_TYPE).Value != Libc.SOCK_SEQPACKET
            || TcpSocket.Option(descriptor, Libc.SOL_SOCKET, Libc.SO_DOMAIN).Value != Libc.AF_UNIX)
        {
            return null;
        }

        SetInherited(descriptor, false);
        return new PacketPair(descriptor);
    }

    /// <summary>Takes an end whose descriptor the caller owns.</summary>
    public static PacketPair Own(int descriptor) => new(descriptor);

    /// <param name="packet">At most <see cref="LongestPacket"/> bytes, at least one.</param>
    /// <param name="descriptors">At most <see cref="MostDescriptors"/>; the other process gets duplicates.</param>
    public PacketResult Send(ReadOnlySpan<byte> packet, ReadOnlySpan<int> descriptors, TimeSpan limit)
    {
        long until = Environment.TickCount64 + (long)limit.TotalMilliseconds;
        while (true)
        {
            SysResult sent = TrySend(packet, descriptors);
            switch (sent.Errno)
            {
                case Errno.None:
                    return PacketResult.Done;
                case Errno.EPIPE or Errno.ECONNRESET or Errno.ENOTCONN or Errno.EBADF:
                    return PacketResult.Ended;
                case Errno.EAGAIN:
                    break;
                case Errno.ETOOMANYREFS:
                    // More descriptors are on their way than this user may have open (unix(7)), until the receiver takes some.
                    Thread.Sleep(1);
                    if (Environment.TickCount64 > until)
                    {
                        return PacketResult.TimedOut;
                    }

                    break;
                default:
                    return PacketResult.Refused;
            }

            PacketResult ready = Wait(Libc.POLLOUT, until);
            if (ready != PacketResult.Done)
            {
                return ready;
            }
        }
    }

    /// <param name="packet">Place for <see cref="LongestPacket"/> bytes.</param>
    /// <param name="descriptors">Place for <see cref="MostDescriptors"/>. What is received is the caller's, with FD_CLOEXEC set.</param>
    /// <param name="length">Bytes received.</param>
    /// <param name="count">Descriptors received.</param>
    public PacketResult Receive(Span<byte> packet, Span<int> descriptors, TimeSpan limit, out int length, out int count)
    {
        long until = Environment.TickCount64 + (long)limit.TotalMilliseconds;
        while (true)
        {
            SysResult received = PacketSocket.Receive(_socket, packet, descriptors, wait: false, out length, out count);
            switch (received.Errno)
            {
                case Errno.None:
                    return length > 0 ? PacketResult.Done : PacketResult.Ended;
                case Errno.EMFILE:
                    return PacketResult.DescriptorsLost;
                case Errno.EAGAIN:
                    break;
                case Errno.ECONNRESET or Errno.EBADF or Errno.ENOTCONN:
                    return PacketResult.Ended;
                default:
                    return PacketResult.Refused;
            }

            PacketResult ready = Wait(Libc.POLLIN, until);
            if (ready != PacketResult.Done)
            {
                return ready;
            }
        }
    }

    /// <summary>Ends the connection: both ends see it, calls that wait included.</summary>
    public void Shut() => _ = Libc.shutdown(_socket, 2); // SHUT_RDWR

    public void Dispose()
    {
        Peer?.Dispose();
        Peer = null;
        if (_socket >= 0)
        {
            _ = Libc.close(_socket);
            _socket = -1;
        }
    }

    private SysResult TrySend(ReadOnlySpan<byte> packet, ReadOnlySpan<int> descriptors)
    {
        const int headerSize = 16;
        byte* control = stackalloc byte[headerSize + (4 * (MostDescriptors + 1))];
        fixed (byte* start = packet)
        {
            var part = new Libc.IoVec { iov_base = start, iov_len = (nuint)packet.Length };
            var message = new Libc.MsgHdr { msg_iov = &part, msg_iovlen = 1 };
            if (descriptors.Length > 0)
            {
                var header = (Libc.CMsgHdr*)control;
                header->cmsg_len = (nuint)(headerSize + (descriptors.Length * sizeof(int)));
                header->cmsg_level = Libc.SOL_SOCKET;
                header->cmsg_type = Libc.SCM_RIGHTS;
                descriptors.CopyTo(new Span<int>(control + headerSize, descriptors.Length));
                message.msg_control = control;
                message.msg_controllen = (nuint)((headerSize + (descriptors.Length * sizeof(int)) + 7) & ~7); // CMSG_SPACE
            }

            SysResult sent;
            do
            {
                sent = SysResult.From(Libc.sendmsg(_socket, &message, Libc.MSG_NOSIGNAL | Libc.MSG_DONTWAIT));
            }
            while (sent.Errno == Errno.EINTR);
            return sent;
        }
    }

    private PacketResult Wait(short wanted, long until)
    {
        Libc.PollFd* polled = stackalloc Libc.PollFd[2];
        while (true)
        {
            polled[0] = new Libc.PollFd { fd = _socket, events = wanted };
            polled[1] = new Libc.PollFd { fd = Peer?.Descriptor ?? -1, events = Libc.POLLIN };
            long left = until - Environment.TickCount64;
            SysResult ready = SysResult.From(Libc.poll(polled, 2, (int)Math.Clamp(left, 0, int.MaxValue)));
            if (ready.Errno == Errno.EINTR)
            {
                continue;
            }

            // What an ended process has sent before is received first.
            return ready.IsError ? PacketResult.Refused
                : polled[0].revents != 0 ? PacketResult.Done
                : polled[1].revents != 0 ? PacketResult.Ended
                : PacketResult.TimedOut;
        }
    }
}
