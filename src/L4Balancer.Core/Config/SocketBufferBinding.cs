namespace L4Balancer.Core.Config;

/// <summary><c>send_buffer</c> and <c>receive_buffer</c> of listeners and pools.</summary>
internal static class SocketBufferBinding
{
    /// <summary>Below about this the kernel rounds up (SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF in net/sock.h).</summary>
    private const long Least = 4 * 1024;

    /// <summary>The kernel keeps twice the size in an int.</summary>
    private const long Most = 1024 * 1024 * 1024;

    public static ByteSize Bind(TableBinder table, string key, ByteSize fallback) => table.Size(key, fallback, Least, Most);
}
