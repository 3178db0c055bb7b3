namespace L4Balancer.Engine.Linux;

/// <summary>
/// UNIX sockets of type SOCK_SEQPACKET (unix(7)), over which processes pass descriptors. Calls retry on EINTR and never raise SIGPIPE.
/// </summary>
internal static unsafe class PacketSocket
{
    /// <summary>SCM_MAX_FD of the kernel is 253; the keeper sends at most this many.</summary>
    public const int MostDescriptors = 252;

    public static SysResult Open() => SysResult.From(Libc.socket(Libc.AF_UNIX, Libc.SOCK_SEQPACKET | Libc.SOCK_CLOEXEC, 0));

    /// <summary>A call that sends or receives returns EAGAIN after this time.</summary>
    public static SysResult SetTimeouts(int socket, TimeSpan limit)
    {
        // struct timeval: seconds and microseconds.
        long* time = stackalloc long[2] { (long)limit.TotalSeconds, limit.Ticks % TimeSpan.TicksPerSecond / TimeSpan.TicksPerMicrosecond };
        int failed = Libc.setsockopt(socket, Libc.SOL_SOCKET, Libc.SO_RCVTIMEO, time, 16);
        return SysResult.From(failed != 0 ? failed : Libc.setsockopt(socket, Libc.SOL_SOCKET, Libc.SO_SNDTIMEO, time, 16));
    }

    public static SysResult Send(int socket, ReadOnlySpan<byte> packet)
    {
        fixed (byte* start = packet)
        {
            var part = new Libc.IoVec { iov_base = start, iov_len = (nuint)packet.Length };
            var message = new Libc.MsgHdr { msg_iov = &part, msg_iovlen = 1 };
            SysResult sent;
            do
            {
                sent = SysResult.From(Libc.sendmsg(socket, &message, Libc.MSG_NOSIGNAL));
            }
            while (sent.Errno == Errno.EINTR);
            return sent;
        }
    }

    /// <summary>
    /// Receives one packet with the descriptors that come with it, which have FD_CLOEXEC set and are the caller's from then on.
    /// </summary>
    /// <param name="packet">For the data: 0 bytes received is the end of the connection.</param>
    /// <param name="descriptors">Place for <see cref="MostDescriptors"/>.</param>
    /// <param name="count">How many came.</param>
    /// <returns>
    /// Bytes received; EMFILE if this process had no place for all of the descriptors: those that came are closed again (MSG_CTRUNC).
    /// </returns>
    public static SysResult Receive(int socket, Span<byte> packet, Span<int> descriptors, out int count) =>
        Receive(socket, packet, descriptors, wait: true, out _, out count);

    /// <summary>As above.</summary>
    /// <param name="wait">Whether to wait for a packet; EAGAIN otherwise.</param>
    /// <param name="length">Bytes received, after EMFILE too: then the data is there, without its descriptors.</param>
    public static SysResult Receive(int socket, Span<byte> packet, Span<int> descriptors, bool wait, out int length, out int count)
    {
        const int headerSize = 16;
        const int controlSize = headerSize + (4 * (MostDescriptors + 2));
        byte* control = stackalloc byte[controlSize];
        length = count = 0;
        fixed (byte* start = packet)
        {
            var part = new Libc.IoVec { iov_base = start, iov_len = (nuint)packet.Length };
            var message = new Libc.MsgHdr { msg_iov = &part, msg_iovlen = 1 };
            SysResult received;
            do
            {
                message.msg_control = control;
                message.msg_controllen = controlSize;
                received = SysResult.From(Libc.recvmsg(socket, &message, Libc.MSG_CMSG_CLOEXEC | (wait ? 0 : Libc.MSG_DONTWAIT)));
            }
            while (received.Errno == Errno.EINTR);
            if (received.IsError)
            {
                return received;
            }

            length = received.Value;
            var header = (Libc.CMsgHdr*)control;
            bool came = message.msg_controllen >= headerSize && header->cmsg_level == Libc.SOL_SOCKET && header->cmsg_type == Libc.SCM_RIGHTS;
            var all = new ReadOnlySpan<int>(control + headerSize, came ? (int)(header->cmsg_len - headerSize) / sizeof(int) : 0);
            if ((message.msg_flags & Libc.MSG_CTRUNC) != 0 || all.Length > descriptors.Length)
            {
                foreach (int descriptor in all)
                {
                    _ = Libc.close(descriptor);
                }

                return SysResult.Error(Errno.EMFILE);
            }

            all.CopyTo(descriptors);
            count = all.Length;
            return received;
        }
    }

    /// <summary>The same socket under a number of at least 3, which no handle of the runtime closes; the given one is closed.</summary>
    public static SysResult MoveUp(int descriptor)
    {
        SysResult moved = SysResult.From(Libc.fcntl(descriptor, Libc.F_DUPFD_CLOEXEC, 3));
        _ = Libc.close(descriptor);
        return moved;
    }
}
