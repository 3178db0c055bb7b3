namespace L4Balancer.Core.Addressing;

/// <summary>The parts of a <see cref="FourTuple"/> that a pool hashes. The order of hashing is that of the bits, whatever the file's order.</summary>
[Flags]
public enum TupleFields
{
    None = 0,
    SourceIp = 1,
    SourcePort = 2,
    DestinationIp = 4,
    DestinationPort = 8,
    All = SourceIp | SourcePort | DestinationIp | DestinationPort,
}
