using System.Buffers.Binary;
using System.Runtime.InteropServices;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Keeper;

/// <summary>
/// An heir's connection to the keeper of a process that has ended: asks for its descriptors by number. The numbers may have been used again
/// before that process ended, so each has to be checked by <see cref="IsSocket"/> or <see cref="IsPipe"/>. One thread at a time.
/// </summary>
public sealed class KeeperConnection : IDisposable
{
    private const int AnswerSize = 8;
    private const byte Version = 1;
    private const int Ping = -1;
    private const int EndKeeper = -2;

    private int _socket;

    private KeeperConnection(int socket, int keeper)
    {
        _socket = socket;
        Keeper = keeper;
    }

    /// <summary>The process id of the keeper, in its own namespace.</summary>
    public int Keeper { get; }

    /// <summary>Whether the keeper has closed the connection: it serves a later one, or has ended. A new one begins anew.</summary>
    public bool IsClosedByKeeper { get; private set; }

    /// <param name="path">Of the keeper's socket, in a directory of <see cref="KeeperFolder"/>.</param>
    /// <param name="limit">For each answer. The keeper of a process that still runs does not answer, nor does one that is stopped.</param>
    /// <param name="fault">Why not, as text for a log: ENOENT or ECONNREFUSED if there is no keeper.</param>
    public static KeeperConnection? TryConnect(string path, TimeSpan limit, out string? fault)
    {
        SysResult socket = PacketSocket.Open();
        if (socket.IsError)
        {
            fault = $"{path}: {socket.Errno}";
            return null;
        }

        SysResult result = PacketSocket.SetTimeouts(socket.Value, limit);
        result = result.IsError ? result : UnixSocket.Connect(socket.Value, path);
        int keeper = 0;
        Errno error = result.IsError ? result.Errno : Ask(socket.Value, [Ping], [], out keeper);
        if (error == Errno.None)
        {
            fault = null;
            return new KeeperConnection(socket.Value, keeper);
        }

        _ = Libc.close(socket.Value);
        fault = error == Errno.EAGAIN ? $"{path}: no answer within {limit.TotalSeconds} s" : $"{path}: {error}";
        return null;
    }

    /// <summary>Fetches descriptors, at most 252 at a time. They are the caller's, with FD_CLOEXEC set.</summary>
    /// <param name="numbers">Their numbers in the process that has ended.</param>
    /// <param name="received">A place for each: the descriptor here, or -1 if it was not open there.</param>
    /// <returns>
    /// Null, or why some are missing, as text for a log: the keeper has ended or does not answer, or this process has no place for them
    /// (EMFILE). Those that came are in their places; the others are -1. After an error the connection is of no more use: a late answer
    /// would be taken for that of the next request.
    /// </returns>
    public string? Fetch(ReadOnlySpan<int> numbers, Span<int> received)
    {
        received.Fill(-1);
        for (int at = 0; at < numbers.Length; at += PacketSocket.MostDescriptors)
        {
            int count = Math.Min(PacketSocket.MostDescriptors, numbers.Length - at);
            Errno error = FetchBatch(numbers.Slice(at, count), received.Slice(at, count));
            if (error != Errno.None)
            {
                IsClosedByKeeper = error is Errno.EPIPE or Errno.ECONNRESET;
                return $"the keeper sent no descriptors: {error}";
            }
        }

        return null;
    }

    /// <summary>Ends the keeper, and with it whatever of its descriptors nobody has fetched.</summary>
    /// <returns>False if it does not answer.</returns>
    public bool TryEnd() => Ask(_socket, [EndKeeper], [], out _) == Errno.None;

    /// <summary>Whether the descriptor is the socket with this cookie.</summary>
    public static bool IsSocket(int descriptor, ulong cookie) => cookie != 0 && SocketCookie.Of(descriptor) == cookie;

    /// <summary>Whether the descriptor is an end of the pipe with this inode.</summary>
    public static bool IsPipe(int descriptor, ulong inode) => inode != 0 && SocketCookie.OfPipe(descriptor) == inode;

    public void Dispose()
    {
        if (_socket >= 0)
        {
            _ = Libc.close(_socket);
            _socket = -1;
        }
    }

    // A number that is not open makes the kernel refuse the whole message: then each half is asked for.
    private Errno FetchBatch(ReadOnlySpan<int> numbers, Span<int> received)
    {
        Errno error = Ask(_socket, numbers, received, out _);
        if (error != Errno.EBADF || numbers.Length == 1)
        {
            return error == Errno.EBADF ? Errno.None : error;
        }

        int half = numbers.Length / 2;
        error = FetchBatch(numbers[..half], received[..half]);
        return error == Errno.None ? FetchBatch(numbers[half..], received[half..]) : error;
    }

    /// <param name="received">As many places as descriptors are expected.</param>
    private static Errno Ask(int socket, ReadOnlySpan<int> numbers, Span<int> received, out int keeper)
    {
        keeper = 0;
        SysResult sent = PacketSocket.Send(socket, MemoryMarshal.AsBytes(numbers));
        if (sent.IsError)
        {
            return sent.Errno;
        }

        Span<byte> answer = stackalloc byte[AnswerSize];
        Span<int> descriptors = stackalloc int[PacketSocket.MostDescriptors];
        SysResult result = PacketSocket.Receive(socket, answer, descriptors, out int count);
        if (result.IsError)
        {
            return result.Errno;
        }

        var status = (Errno)answer[1];
        if (result.Value == AnswerSize && answer[0] == Version && status != Errno.None && count == 0)
        {
            return status;
        }

        if (result.Value != AnswerSize || answer[0] != Version || count != received.Length)
        {
            foreach (int descriptor in descriptors[..count])
            {
                _ = Libc.close(descriptor);
            }

            return result.Value == 0 ? Errno.ECONNRESET : Errno.EPROTO;
        }

        keeper = BinaryPrimitives.ReadInt32LittleEndian(answer[4..]);
        descriptors[..count].CopyTo(received);
        return Errno.None;
    }
}
