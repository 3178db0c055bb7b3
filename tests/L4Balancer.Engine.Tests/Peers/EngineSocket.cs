using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Engine.Tests.Peers;

/// <summary>
/// A socket of the engine under test, found from outside: engine and test are one process, so its descriptor can be asked by number.
/// </summary>
internal sealed class EngineSocket
{
    private const int LevelTcp = 6;
    private const int LevelSocket = 1;
    private const int OptionInfo = 11;

    /// <summary>SO_ACCEPTCONN.</summary>
    private const int OptionListens = 30;

    private const int OptionReusePort = 15;

    /// <summary>SO_MEMINFO (linux/sock_diag.h): nine numbers, of which these are memory in the receive and in the send queue.</summary>
    private const int OptionMemory = 55;
    private const int ReceiveAllocated = 0;
    private const int SendQueued = 5;

    private const ulong IoctlUnread = 0x541B;
    private const int BytesReceived = 128;

    /// <summary>tcpi_sacked, which is the backlog of a listening socket.</summary>
    private const int Sacked = 28;

    private EngineSocket(int descriptor) => Descriptor = descriptor;

    public int Descriptor { get; }

    /// <summary>Bytes that the engine has taken out of this socket's receive queue.</summary>
    public long BytesRead
    {
        get
        {
            Span<byte> info = stackalloc byte[232];
            Read(LevelTcp, OptionInfo, info);
            return (long)BinaryPrimitives.ReadUInt64LittleEndian(info[BytesReceived..]) - Unread;
        }
    }

    /// <summary>Kernel memory of this socket's send queue, overhead included.</summary>
    public long SendQueueMemory => Memory(SendQueued);

    /// <summary>Kernel memory of this socket's receive queue, overhead included.</summary>
    public long ReceiveQueueMemory => Memory(ReceiveAllocated);

    /// <summary>SO_REUSEPORT.</summary>
    public int ReusePort => Option(LevelSocket, OptionReusePort);

    /// <summary>Of a listening socket.</summary>
    public int Backlog
    {
        get
        {
            Span<byte> info = stackalloc byte[232];
            Read(LevelTcp, OptionInfo, info);
            return BinaryPrimitives.ReadInt32LittleEndian(info[Sacked..]);
        }
    }

    /// <summary>Bytes that wait in this socket's receive queue.</summary>
    public int Unread
    {
        get
        {
            int unread = 0;
            return IoControl(Descriptor, IoctlUnread, ref unread) == 0
                ? unread
                : throw new SocketException(Marshal.GetLastPInvokeError());
        }
    }

    /// <summary>The descriptor of this process with these two ends.</summary>
    public static EngineSocket Find(Endpoint local, Endpoint remote)
    {
        foreach (string path in Directory.EnumerateFileSystemEntries("/proc/self/fd"))
        {
            int descriptor = int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture);
            if (NameOf(GetSocketName, descriptor) == local && NameOf(GetPeerName, descriptor) == remote)
            {
                return new EngineSocket(descriptor);
            }
        }

        throw new InvalidOperationException($"No socket from {local} to {remote}.");
    }

    /// <summary>The listening socket of this process that is bound there.</summary>
    public static EngineSocket FindListening(Endpoint local) =>
        TryFindListening(local) ?? throw new InvalidOperationException($"No socket listens on {local}.");

    public static EngineSocket? TryFindListening(Endpoint local)
    {
        foreach (string path in Directory.EnumerateFileSystemEntries("/proc/self/fd"))
        {
            int descriptor = int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture);
            if (NameOf(GetSocketName, descriptor) == local && new EngineSocket(descriptor).Listens)
            {
                return new EngineSocket(descriptor);
            }
        }

        return null;
    }

    /// <summary>The descriptors of all sockets of this process that listen, by address.</summary>
    public static Dictionary<Endpoint, int> AllListening()
    {
        Dictionary<Endpoint, int> all = [];
        foreach (string path in Directory.EnumerateFileSystemEntries("/proc/self/fd"))
        {
            int descriptor = int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture);
            if (NameOf(GetSocketName, descriptor) is { } local && new EngineSocket(descriptor).Listens)
            {
                all.TryAdd(local, descriptor);
            }
        }

        return all;
    }

    public static int CountDescriptors() => Directory.GetFileSystemEntries("/proc/self/fd").Length;

    /// <summary>False also where the engine closes it at this moment.</summary>
    private bool Listens
    {
        get
        {
            Span<byte> value = stackalloc byte[4];
            uint length = (uint)value.Length;
            return GetSocketOption(Descriptor, LevelSocket, OptionListens, ref MemoryMarshal.GetReference(value), ref length) == 0
                && BinaryPrimitives.ReadInt32LittleEndian(value) == 1;
        }
    }

    public int Option(int level, int option)
    {
        Span<byte> value = stackalloc byte[4];
        Read(level, option, value);
        return BinaryPrimitives.ReadInt32LittleEndian(value);
    }

    /// <summary>An option that is a string, without its terminating zero.</summary>
    public string Text(int level, int option)
    {
        Span<byte> value = stackalloc byte[16];
        Read(level, option, value);
        return Encoding.ASCII.GetString(value[..value.IndexOf((byte)0)]);
    }

    private void Read(int level, int option, Span<byte> value)
    {
        uint length = (uint)value.Length;
        if (GetSocketOption(Descriptor, level, option, ref MemoryMarshal.GetReference(value), ref length) != 0)
        {
            throw new SocketException(Marshal.GetLastPInvokeError());
        }
    }

    private long Memory(int index)
    {
        Span<byte> memory = stackalloc byte[9 * sizeof(uint)];
        Read(LevelSocket, OptionMemory, memory);
        return BinaryPrimitives.ReadUInt32LittleEndian(memory[(index * sizeof(uint))..]);
    }

    private static Endpoint? NameOf(NameCall call, int descriptor)
    {
        Span<byte> name = stackalloc byte[128];
        uint length = (uint)name.Length;
        if (call(descriptor, ref MemoryMarshal.GetReference(name), ref length) != 0)
        {
            return null;
        }

        ushort port = BinaryPrimitives.ReadUInt16BigEndian(name[2..]);
        return AddressFamilyOf(name) switch
        {
            2 => new Endpoint(HostAddress.From(new IPAddress(name[4..8])), port),
            10 => new Endpoint(HostAddress.From(new IPAddress(name[8..24])), port),
            _ => null,
        };
    }

    private static ushort AddressFamilyOf(ReadOnlySpan<byte> name) => BinaryPrimitives.ReadUInt16LittleEndian(name);

    private delegate int NameCall(int descriptor, ref byte name, ref uint length);

    [DllImport("libc", EntryPoint = "getsockname", SetLastError = true)]
    private static extern int GetSocketName(int descriptor, ref byte name, ref uint length);

    [DllImport("libc", EntryPoint = "getpeername", SetLastError = true)]
    private static extern int GetPeerName(int descriptor, ref byte name, ref uint length);

    [DllImport("libc", EntryPoint = "getsockopt", SetLastError = true)]
    private static extern int GetSocketOption(int descriptor, int level, int option, ref byte value, ref uint length);

    [DllImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static extern int IoControl(int descriptor, ulong request, ref int value);
}
