using L4Balancer.Core.Inspection;

namespace L4Balancer.Core.Config;

/// <summary><c>inspect_limit</c>, and what it requires of <c>receive_buffer</c>.</summary>
internal static class InspectLimitBinding
{
    /// <summary>A ClientHello of today has 300 to 1800 bytes, a request head of a browser as much.</summary>
    private const long Least = 1024;

    /// <summary>Each event loop has one buffer of this length.</summary>
    private const long Most = 64 * 1024;

    public static ByteSize Bind(TableBinder table, ByteSize fallback)
    {
        if (table.TryGet("inspect_limit", out Setting setting) && setting.TrySize(Least, Most, out ByteSize value))
        {
            if (value.Bytes > 0)
            {
                return value;
            }

            setting.Reject($"\"0\" is out of range; allowed: \"{new ByteSize(Least)}\" to \"{new ByteSize(Most)}\"");
        }

        return fallback;
    }

    /// <summary>
    /// What is looked at stays in the receive queue of the kernel, where it must have room as a whole. The size of the buffer also pays for the
    /// packets' own overhead: one half of it (tcp(7), tcp_adv_win_scale) holds bytes in any case.
    /// </summary>
    public static void ReportSmallBuffer(TableBinder table, ListenerSettings listener)
    {
        long looked = Math.Max(
            listener.Inspect == InspectKind.None ? 0 : listener.InspectLimit.Bytes,
            listener.AcceptProxyFrom.IsEmpty ? 0 : ProxyHeader.Longest);
        long needed = 2 * looked;
        if (listener.ReceiveBuffer.Bytes > 0 && listener.ReceiveBuffer.Bytes < needed && table.TryGet("receive_buffer", out Setting setting))
        {
            string why = looked == ProxyHeader.Longest && listener.Inspect == InspectKind.None ? "a PROXY header" : "inspect_limit";
            setting.Reject($"\"{listener.ReceiveBuffer}\" does not hold {why}; allowed: \"0\", or \"{new ByteSize(needed)}\" and more");
        }
    }
}
