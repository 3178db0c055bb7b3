using System.Globalization;

namespace L4Balancer.Engine.Linux;

/// <summary>
/// The size of a send or receive buffer on a socket that lives longer than the setting: a listening socket, from which accepted sockets
/// inherit it (tcp(7)).
/// </summary>
/// <param name="option">SO_SNDBUF or SO_RCVBUF.</param>
/// <param name="locked">The bit of SO_BUF_LOCK for it.</param>
/// <param name="sizes">The sysctl below net.ipv4 that has the system's sizes: minimum, initial size, maximum.</param>
internal sealed class BufferSize(int option, int locked, string sizes)
{
    private long _set;

    public static BufferSize OfSending() => new(Libc.SO_SNDBUF, Libc.SOCK_SNDBUF_LOCK, "tcp_wmem");

    public static BufferSize OfReceiving() => new(Libc.SO_RCVBUF, Libc.SOCK_RCVBUF_LOCK, "tcp_rmem");

    /// <param name="bytes">Zero: the system's size again, growing with the traffic. One that was never changed is left alone.</param>
    public void Set(int socket, long bytes)
    {
        if (bytes > 0)
        {
            TcpSocket.SetOption(socket, Libc.SOL_SOCKET, option, (int)Math.Min(bytes, int.MaxValue));
        }
        else if (_set > 0)
        {
            Restore(socket);
        }

        _set = bytes;
    }

    // SO_BUF_LOCK (socket(7), Linux 5.14): a size that was set is not adjusted any more until its lock is released. Before that kernel
    // (ENOPROTOOPT) the socket keeps the initial size of the system.
    private void Restore(int socket)
    {
        if (InitialSize() is { } initial)
        {
            // The kernel doubles what it is given.
            TcpSocket.SetOption(socket, Libc.SOL_SOCKET, option, initial / 2);
            SysResult locks = TcpSocket.Option(socket, Libc.SOL_SOCKET, Libc.SO_BUF_LOCK);
            if (!locks.IsError)
            {
                TcpSocket.SetOption(socket, Libc.SOL_SOCKET, Libc.SO_BUF_LOCK, locks.Value & ~locked);
            }
        }
    }

    private int? InitialSize()
    {
        try
        {
            string[] values = File.ReadAllText($"/proc/sys/net/ipv4/{sizes}").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            return values.Length == 3 && int.TryParse(values[1], NumberStyles.None, CultureInfo.InvariantCulture, out int size) ? size : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
