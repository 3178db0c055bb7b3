using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <summary>What a socket's queues hold, by ioctl(2) as in tcp(7).</summary>
internal static partial class SocketQueues
{
    /// <summary>SIOCOUTQ, from linux/sockios.h: the same number on every architecture that .NET runs on.</summary>
    private const nuint SIOCOUTQ = 0x5411;

    /// <summary>Bytes that the peer's kernel has not acknowledged yet; 0 where the socket has no connection any more.</summary>
    public static int Unacknowledged(SafeHandle socket)
    {
        bool held = false;
        try
        {
            socket.DangerousAddRef(ref held);
            int value = 0;
            unsafe
            {
                return ioctl((int)socket.DangerousGetHandle(), SIOCOUTQ, &value) == 0 ? value : 0;
            }
        }
        catch (ObjectDisposedException)
        {
            return 0;
        }
        finally
        {
            if (held)
            {
                socket.DangerousRelease();
            }
        }
    }

    [LibraryImport("libc")]
    private static unsafe partial int ioctl(int fd, nuint request, int* value);
}
