namespace L4Balancer.Engine.Linux;

/// <summary>Numbers of kernel objects that are not used again while the machine runs, unlike the numbers of descriptors.</summary>
public static unsafe class SocketCookie
{
    /// <summary>SO_COOKIE (socket(7), Linux 4.12), of a socket of any family; 0 if the descriptor is no socket.</summary>
    public static ulong Of(int socket)
    {
        ulong cookie = 0;
        uint length = sizeof(ulong);
        return Libc.getsockopt(socket, Libc.SOL_SOCKET, Libc.SO_COOKIE, &cookie, &length) == 0 ? cookie : 0;
    }

    /// <summary>
    /// Whether the connection of a socket has been reset or given up, so that nobody may go on with it: a read reports that only once, to the
    /// process that may have been killed directly after it, and then returns 0 as after a FIN. A UNIX socket does not tell.
    /// </summary>
    /// <param name="finSent">FIN was sent to the peer. Then the connection may be closed because both sides have finished, and is not doubted.</param>
    public static bool HasFailed(int socket, bool finSent) => !finSent && TcpSocket.IsClosed(socket);

    /// <summary>The inode that both ends of a pipe share (statx(2)); 0 if the descriptor is not open.</summary>
    public static ulong OfPipe(int end)
    {
        Libc.StatX stat = default;
        byte nothing = 0;
        return Libc.statx(end, &nothing, Libc.AT_EMPTY_PATH, Libc.STATX_BASIC_STATS, &stat) == 0 ? stat.stx_ino : 0;
    }
}
