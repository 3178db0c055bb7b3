using System.Buffers.Binary;
using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Linux;

/// <summary>
/// A UDP socket of a server: it receives one datagram after the other, and each answer leaves from the address that was asked, which the
/// kernel would otherwise choose anew on a wildcard address (IP_PKTINFO, ip(7); RFC 3542, 6.1). Another process may have the same socket: nothing
/// here changes it for both but its options. One thread at a time, except <see cref="Wake"/>.
/// </summary>
[SupportedOSPlatform("linux")]
public sealed unsafe class DatagramSocket : IDisposable
{
    // in_pktinfo is 12 bytes, in6_pktinfo 20; each with its cmsghdr of 16, aligned to 8.
    private const int ControlCapacity = 64;
    private const int HeaderLength = 16;

    private readonly Peer* _peer;
    private readonly WakeUp _wakeUp;
    private readonly int _patience;
    private int _socket;

    private DatagramSocket(int socket, TimeSpan patience)
    {
        _wakeUp = new WakeUp();
        _socket = socket;
        _patience = (int)patience.TotalMilliseconds;
        Bound = TcpSocket.LocalEndpoint(socket);
        _peer = (Peer*)NativeMemory.AllocZeroed((nuint)sizeof(Peer));
    }

    /// <summary>The address, with the port that the kernel chose.</summary>
    public Endpoint Bound { get; }

    /// <summary>-1 once it is closed.</summary>
    public int Descriptor => _socket;

    /// <param name="patience">The longest time that <see cref="Receive"/> waits.</param>
    /// <exception cref="Win32Exception">The kernel refuses it; the native error code is the errno.</exception>
    public static DatagramSocket Bind(Endpoint endpoint, TimeSpan patience)
    {
        bool v4 = endpoint.Address.IsV4;
        int socket = Check(Libc.socket(v4 ? Libc.AF_INET : Libc.AF_INET6, Libc.SOCK_DGRAM | Libc.SOCK_CLOEXEC, 0), -1);
        if (!v4)
        {
            Set(socket, Libc.IPPROTO_IPV6, Libc.IPV6_V6ONLY);
        }

        SetOptions(socket, v4);
        uint length = SocketAddress.Write(endpoint, out SocketAddress address);
        Check(Libc.bind(socket, &address, length), socket);
        return Of(socket, patience);
    }

    /// <summary>Uses a socket that another process has bound. Its queue may hold datagrams already.</summary>
    /// <param name="socket">Its descriptor here; closed with this object, and if this throws.</param>
    /// <param name="patience">The longest time that <see cref="Receive"/> waits.</param>
    /// <exception cref="Win32Exception">It is no such socket; the native error code is the errno.</exception>
    public static DatagramSocket Adopt(int socket, TimeSpan patience)
    {
        SetOptions(socket, TcpSocket.LocalEndpoint(socket).Address.IsV4);
        return Of(socket, patience);
    }

    /// <summary>Waits for a datagram.</summary>
    /// <param name="buffer">A longer datagram is cut.</param>
    /// <param name="destination">
    /// The address of this host that it was sent to; the address that is bound where the kernel does not say.
    /// </param>
    /// <returns>
    /// Its length; -1 if there was none in the time of <see cref="Bind"/>, or <see cref="Wake"/> was called meanwhile, or the kernel reported an
    /// error.
    /// </returns>
    public int Receive(Span<byte> buffer, out Endpoint source, out HostAddress destination)
    {
        source = default;
        destination = Bound.Address;
        fixed (byte* bytes = buffer)
        {
            var data = new Libc.IoVec { iov_base = bytes, iov_len = (nuint)buffer.Length };
            Libc.MsgHdr message = Header(&data, SocketAddress.Capacity, ControlCapacity);
            nint count = Libc.recvmsg(_socket, &message, Libc.MSG_DONTWAIT);
            if (count < 0 && Marshal.GetLastSystemError() == (int)Errno.EAGAIN && Wait())
            {
                message = Header(&data, SocketAddress.Capacity, ControlCapacity);
                count = Libc.recvmsg(_socket, &message, Libc.MSG_DONTWAIT);
            }

            if (count < 0 || message.msg_namelen == 0)
            {
                // EINTR, EAGAIN; a socket that was shut down has no sender.
                return -1;
            }

            _peer->NameLength = message.msg_namelen;
            _peer->ControlLength = KeepDestination((int)message.msg_controllen, ref destination);
            source = SocketAddress.Read(ref _peer->Name);
            return (int)count;
        }
    }

    /// <summary>
    /// Sends to where the latest datagram came from, from where it was sent to. What the kernel does not take at once is lost, as UDP may
    /// lose it.
    /// </summary>
    public void Reply(ReadOnlySpan<byte> answer)
    {
        fixed (byte* bytes = answer)
        {
            var data = new Libc.IoVec { iov_base = bytes, iov_len = (nuint)answer.Length };
            Libc.MsgHdr message = Header(&data, _peer->NameLength, _peer->ControlLength);
            _ = Libc.sendmsg(_socket, &message, Libc.MSG_DONTWAIT | Libc.MSG_NOSIGNAL);
        }
    }

    /// <summary>
    /// Ends a wait of <see cref="Receive"/>; from then on it takes what is there, but waits no longer, until <see cref="Rest"/> is called. Any thread.
    /// </summary>
    public void Wake() => _wakeUp.Signal();

    /// <summary><see cref="Receive"/> waits again.</summary>
    public void Rest() => _wakeUp.Clear();

    public void Dispose()
    {
        if (_socket >= 0)
        {
            _ = Libc.close(_socket);
            _socket = -1;
            _wakeUp.Dispose();
            NativeMemory.Free(_peer);
        }
    }

    private static DatagramSocket Of(int socket, TimeSpan patience)
    {
        try
        {
            return new DatagramSocket(socket, patience);
        }
        catch (InvalidOperationException e)
        {
            _ = Libc.close(socket);
            throw new Win32Exception((int)Errno.EMFILE, e.Message);
        }
    }

    private static void SetOptions(int socket, bool v4) =>
        Set(socket, v4 ? Libc.IPPROTO_IP : Libc.IPPROTO_IPV6, v4 ? Libc.IP_PKTINFO : Libc.IPV6_RECVPKTINFO);

    /// <returns>Whether a datagram may be there.</returns>
    private bool Wait()
    {
        Libc.PollFd* both = stackalloc Libc.PollFd[2]
        {
            new() { fd = _socket, events = Libc.POLLIN },
            new() { fd = _wakeUp.Descriptor, events = Libc.POLLIN },
        };
        return Libc.poll(both, 2, _patience) > 0 && both[1].revents == 0;
    }

    private Libc.MsgHdr Header(Libc.IoVec* data, uint nameLength, nuint controlLength) => new()
    {
        msg_name = &_peer->Name,
        msg_namelen = nameLength,
        msg_iov = data,
        msg_iovlen = 1,
        msg_control = controlLength == 0 ? null : _peer->Control,
        msg_controllen = controlLength,
    };

    /// <summary>Makes of what was received with the datagram what is sent with the answer.</summary>
    /// <returns>Its length; 0 if it says nothing.</returns>
    private nuint KeepDestination(int length, ref HostAddress destination)
    {
        Span<byte> control = new(_peer->Control, Math.Min(length, ControlCapacity));
        if (control.Length < HeaderLength + 12)
        {
            return 0;
        }

        Libc.CMsgHdr header = MemoryMarshal.Read<Libc.CMsgHdr>(control);
        Span<byte> data = control[HeaderLength..];
        if (header is { cmsg_level: Libc.IPPROTO_IP, cmsg_type: Libc.IP_PKTINFO })
        {
            // struct in_pktinfo: interface, local address, destination in the packet. The local one is what an answer may be sent from; the
            // route, not the interface of the question, decides where it leaves.
            data[..4].Clear();
            destination = HostAddress.FromV4(BinaryPrimitives.ReadUInt32BigEndian(data[4..]));
            return (nuint)control.Length;
        }

        if (header is { cmsg_level: Libc.IPPROTO_IPV6, cmsg_type: Libc.IPV6_PKTINFO } && data.Length >= 20)
        {
            // struct in6_pktinfo: destination, interface. Only a link-local address needs its interface.
            destination = HostAddress.FromV6(data);
            if (!destination.IsLinkLocal6)
            {
                data.Slice(16, 4).Clear();
            }

            return (nuint)control.Length;
        }

        return 0;
    }

    private static void Set(int socket, int level, int option)
    {
        int on = 1;
        Check(Libc.setsockopt(socket, level, option, &on, sizeof(int)), socket);
    }

    private static int Check(int returned, int socket)
    {
        if (returned >= 0)
        {
            return returned;
        }

        var fault = new Win32Exception(Marshal.GetLastSystemError());
        if (socket >= 0)
        {
            _ = Libc.close(socket);
        }

        throw fault;
    }

    /// <summary>The latest sender, as the kernel wrote it: in memory that does not move.</summary>
    private struct Peer
    {
        public SocketAddress Name;
        public uint NameLength;
        public nuint ControlLength;
        public fixed byte Control[ControlCapacity];
    }
}
