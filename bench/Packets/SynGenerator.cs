using System.Runtime.InteropServices;
using L4Balancer.Bench.Machine;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Bench.Packets;

/// <summary>Sends SYNs from random sources of 198.19.0.0/16 through a raw socket (packet(7)), as many as one thread can. For one thread.</summary>
internal sealed unsafe partial class SynGenerator : IDisposable
{
    private const int Batch = 64;
    private const int PacketFamily = 17; // AF_PACKET
    private const int Raw = 3; // SOCK_RAW
    private const int PacketLevel = 263; // SOL_PACKET
    private const int QdiscBypass = 20; // PACKET_QDISC_BYPASS

    private readonly byte* _frames = (byte*)NativeMemory.AllocZeroed(Batch * TcpFrame.Length);
    private readonly Message* _messages = (Message*)NativeMemory.AllocZeroed((nuint)(Batch * sizeof(Message)));
    private readonly Piece* _pieces = (Piece*)NativeMemory.AllocZeroed((nuint)(Batch * sizeof(Piece)));
    private readonly int _socket;
    private readonly Random _random;

    /// <summary>Opened in the network of this thread, on eth0.</summary>
    /// <exception cref="InvalidOperationException">It may not be.</exception>
    public SynGenerator(NetworkHost from, ulong toMac, Endpoint to, int seed)
    {
        _random = new Random(seed);
        byte[] frame = TcpFrame.Create(toMac, from.Mac, new Endpoint(HostAddress.FromV4(0xC613_0001), 1024), to, TcpFrame.Syn);
        for (int i = 0; i < Batch; i++)
        {
            frame.CopyTo(new Span<byte>(_frames + (i * TcpFrame.Length), TcpFrame.Length));
            _pieces[i] = new Piece { Base = _frames + (i * TcpFrame.Length), Length = TcpFrame.Length };
            _messages[i].Pieces = _pieces + i;
            _messages[i].Count = 1;
        }

        _socket = socket(PacketFamily, Raw, 0);
        byte* address = stackalloc byte[20]; // struct sockaddr_ll
        new Span<byte>(address, 20).Clear();
        *(ushort*)address = PacketFamily;
        *(uint*)(address + 4) = if_nametoindex("eth0");
        int on = 1;
        if (_socket < 0 || bind(_socket, address, 20) != 0 || setsockopt(_socket, PacketLevel, QdiscBypass, &on, sizeof(int)) != 0)
        {
            string error = Marshal.GetLastPInvokeErrorMessage();
            Dispose();
            throw new InvalidOperationException($"no raw socket: {error}");
        }
    }

    /// <returns>How many the kernel took.</returns>
    public int SendSome()
    {
        for (int i = 0; i < Batch; i++)
        {
            long random = _random.NextInt64();
            TcpFrame.SetSource(
                new Span<byte>(_frames + (i * TcpFrame.Length), TcpFrame.Length),
                0xC613_0000 | (uint)(random & 0xffff), (ushort)(1024 + ((random >> 16) & 0xffff) % 64_000), (uint)(random >> 32));
        }

        return Math.Max(0, sendmmsg(_socket, _messages, Batch, 0));
    }

    public void Dispose()
    {
        if (_socket >= 0)
        {
            _ = close(_socket);
        }

        NativeMemory.Free(_frames);
        NativeMemory.Free(_messages);
        NativeMemory.Free(_pieces);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int domain, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int bind(int sockfd, byte* addr, int addrlen);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setsockopt(int sockfd, int level, int optname, int* optval, int optlen);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int sendmmsg(int sockfd, Message* msgvec, uint vlen, int flags);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial uint if_nametoindex(string ifname);

    [LibraryImport("libc")]
    private static partial int close(int fd);

    /// <summary>struct iovec.</summary>
    private struct Piece
    {
        public byte* Base;
        public nuint Length;
    }

    /// <summary>struct mmsghdr of a 64-bit machine; what is not named stays zero.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 64)]
    private struct Message
    {
        [FieldOffset(16)]
        public Piece* Pieces;

        [FieldOffset(24)]
        public nuint Count;
    }
}
