namespace L4Balancer.Engine.Linux;

/// <summary>
/// A socket of the family NETLINK_ROUTE (rtnetlink(7)), for requests or for notifications, not for both. One thread at a time.
/// </summary>
internal sealed unsafe class NetlinkSocket : IDisposable
{
    /// <summary>The kernel's messages are at most this long unless a larger buffer is offered (netlink(7): 8192 or the size of a page).</summary>
    private const int BufferSize = 1 << 16;

    private readonly byte[] _buffer = new byte[BufferSize];
    private uint _sequence;

    private NetlinkSocket(int descriptor) => Descriptor = descriptor;

    /// <summary>Receives one message.</summary>
    public delegate void Reader(in NetlinkMessage message);

    public int Descriptor { get; }

    /// <param name="groups">Of notifications, as a mask; 0: none.</param>
    /// <param name="fault">EAFNOSUPPORT: the service may not open such sockets.</param>
    public static NetlinkSocket? TryOpen(uint groups, out Errno fault)
    {
        SysResult opened = SysResult.From(Libc.socket(Libc.AF_NETLINK, Libc.SOCK_RAW | Libc.SOCK_CLOEXEC, Libc.NETLINK_ROUTE));
        fault = opened.Errno;
        if (opened.IsError)
        {
            return null;
        }

        var address = new Libc.SockAddrNl { nl_family = Libc.AF_NETLINK, nl_groups = groups };
        fault = SysResult.From(Libc.bind(opened.Value, &address, (uint)sizeof(Libc.SockAddrNl))).Errno;
        if (fault == Errno.None)
        {
            return new NetlinkSocket(opened.Value);
        }

        TcpSocket.Close(opened.Value);
        return null;
    }

    /// <summary>Sends a request and reads what comes in return until it ends. The kernel answers at once.</summary>
    /// <returns>What the kernel answers.</returns>
    public Errno Ask(NetlinkRequest request, Reader? reader = null)
    {
        uint sequence = ++_sequence;
        byte[] bytes = request.ToBytes(sequence);
        fixed (byte* start = bytes)
        {
            SysResult sent = TcpSocket.Send(Descriptor, start, bytes.Length);
            if (sent.IsError)
            {
                return sent.Errno;
            }
        }

        while (true)
        {
            SysResult received = Receive();
            if (received.IsError)
            {
                return received.Errno;
            }

            ReadOnlySpan<byte> rest = _buffer.AsSpan(0, received.Value);
            while (NetlinkMessage.TryTake(ref rest, out NetlinkMessage message))
            {
                if (message.Sequence != sequence)
                {
                    continue;
                }

                if (message.Type is Libc.NLMSG_ERROR or Libc.NLMSG_DONE)
                {
                    return (Errno)(message.Body.Length >= 4 ? -BitConverter.ToInt32(message.Body) : 0);
                }

                reader?.Invoke(message);
                if (!request.WantsAnswer)
                {
                    return Errno.None;
                }
            }
        }
    }

    /// <summary>Reads the notifications that have come, and waits for none.</summary>
    /// <returns>ENOBUFS: some were lost.</returns>
    public Errno ReadAll(Reader reader)
    {
        while (true)
        {
            SysResult received = Receive(Libc.MSG_DONTWAIT);
            if (received.IsError)
            {
                return received.Errno == Errno.EAGAIN ? Errno.None : received.Errno;
            }

            ReadOnlySpan<byte> rest = _buffer.AsSpan(0, received.Value);
            while (NetlinkMessage.TryTake(ref rest, out NetlinkMessage message))
            {
                reader(message);
            }
        }
    }

    public void Dispose() => TcpSocket.Close(Descriptor);

    private SysResult Receive(int flags = 0)
    {
        fixed (byte* buffer = _buffer)
        {
            return TcpSocket.Receive(Descriptor, buffer, _buffer.Length, flags);
        }
    }
}
