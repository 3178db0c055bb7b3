using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Inspection;

/// <summary>
/// The header of the PROXY protocol (haproxy, doc/proxy-protocol.txt), version 1 (2.1) or 2 (2.2), with which a proxy before this balancer
/// names its client. To be read only from trusted sources (5): it cannot be told from payload otherwise. Lives as long as the bytes
/// that it was read from.
/// </summary>
public readonly ref struct ProxyHeader
{
    /// <summary>
    /// How many bytes a header may have. Version 1 never has more than 107. Version 2 allows 65,551, but "is always smaller than an MSS";
    /// nginx reads 4096 as well.
    /// </summary>
    public const int Longest = 4096;

    internal ProxyHeader(int version, int length, FourTuple? addresses, ProxyTlvs values)
    {
        Version = version;
        Length = length;
        Addresses = addresses;
        Values = values;
    }

    /// <summary>1 or 2.</summary>
    public int Version { get; }

    /// <summary>In bytes. Exactly these are consumed; what follows is payload, even if it has the form of a TLV.</summary>
    public int Length { get; }

    /// <summary>
    /// The connection of the client to the first proxy. Null if the addresses of the connection itself hold: LOCAL, as health checks of a
    /// proxy send it, UNKNOWN, UNSPEC, and families that are no TCP over IP (UNIX, datagrams).
    /// </summary>
    public FourTuple? Addresses { get; }

    /// <summary>Empty in version 1, and for LOCAL and UNSPEC, whose contents are ignored.</summary>
    public ProxyTlvs Values { get; }

    /// <summary>
    /// Never answers <see cref="InspectionOutcome.OtherProtocol"/>: where a header is required, anything else is invalid, and is recognised
    /// at the first byte that does not fit.
    /// </summary>
    /// <param name="received">All bytes received so far, from the first.</param>
    public static InspectionResult TryParse(ReadOnlySpan<byte> received, out ProxyHeader header)
    {
        header = default;
        return received switch
        {
            [] => InspectionResult.NeedMore(ProxyHeaderV1.Shortest, Longest),
            [(byte)'P', ..] => ProxyHeaderV1.TryParse(received, out header),
            _ => ProxyHeaderV2.TryParse(received, out header),
        };
    }
}
