using System.Buffers.Text;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Engine.Inspection;

/// <summary>
/// The PROXY header that a backend gets before the first byte of the client (<c>send_proxy</c>). Version 2 has AUTHORITY (the server name of
/// the ClientHello, or the host of the request), ALPN (if the client offers exactly one protocol: of several, the choice is the backend's),
/// UNIQUE_ID (the id of the connection in the log, in decimal digits) and CRC32C (proxy-protocol.txt, 2.2).
/// </summary>
internal static class ProxyPreface
{
    /// <summary>No header is longer, in bytes.</summary>
    public const int Longest = 1024;

    /// <summary>Longer names are no host names (RFC 1035, 2.3.4), and not written.</summary>
    private const int LongestAuthority = 255;

    /// <param name="inspects">What was read of the client.</param>
    /// <param name="limit">The limit of that, in bytes.</param>
    /// <param name="seen">The first bytes of the client, if any are there.</param>
    /// <param name="target">At least <see cref="Longest"/> bytes.</param>
    /// <returns>The number of bytes written.</returns>
    public static int Write(
        SendProxy version, in ConnectionRecord record, InspectKind inspects, int limit, ReadOnlySpan<byte> seen, Span<byte> target)
    {
        if (version == SendProxy.V1)
        {
            return ProxyHeaderWriter.WriteV1(record.Tuple, target);
        }

        Span<byte> id = stackalloc byte[20];
        Utf8Formatter.TryFormat(record.Id, id, out int digits);
        ReadOnlySpan<byte> authority = default;
        ReadOnlySpan<byte> alpn = default;
        if (inspects == InspectKind.Tls && !seen.IsEmpty
            && ClientHello.TryParse(seen, limit, FirstBytes.Joined(limit), out ClientHello hello).Outcome == InspectionOutcome.Parsed)
        {
            authority = hello.ServerName;
            alpn = OnlyOne(hello.Alpn);
        }
        else if (inspects == InspectKind.Http && RequestHead.TryParse(seen, limit, out RequestHead head).Outcome == InspectionOutcome.Parsed)
        {
            authority = head.Host;
        }

        authority = authority.Length <= LongestAuthority ? authority : default;
        return ProxyHeaderWriter.WriteV2(record.Tuple, authority, alpn, id[..digits], target);
    }

    private static ReadOnlySpan<byte> OnlyOne(AlpnList offered)
    {
        ReadOnlySpan<byte> only = default;
        foreach (ReadOnlySpan<byte> protocol in offered)
        {
            if (!only.IsEmpty)
            {
                return default;
            }

            only = protocol;
        }

        return only;
    }
}
