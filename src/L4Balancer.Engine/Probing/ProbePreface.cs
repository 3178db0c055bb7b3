using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Engine.Probing;

/// <summary>
/// The PROXY header of a probe (proxy-protocol.txt): LOCAL in version 2. Version 1 has no such command; the addresses of the probe's own
/// connection are accepted by every receiver, which UNKNOWN is not (2.1).
/// </summary>
internal static class ProbePreface
{
    /// <param name="socket">The connected socket of the probe.</param>
    public static byte[] Of(SendProxy version, Socket socket)
    {
        Span<byte> target = stackalloc byte[ProxyHeaderWriter.LongestV1];
        int length = version == SendProxy.V2 ? ProxyHeaderWriter.WriteLocalV2(target)
            : socket is { LocalEndPoint: IPEndPoint local, RemoteEndPoint: IPEndPoint remote }
                ? ProxyHeaderWriter.WriteV1(new FourTuple(Endpoint.From(local), Endpoint.From(remote)), target)
                : ProxyHeaderWriter.WriteUnknownV1(target);
        return target[..length].ToArray();
    }
}
