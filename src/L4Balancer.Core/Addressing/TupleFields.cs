namespace L4Balancer.Core.Addressing;

/// <summary>
/// The fields of a <see cref="FourTuple"/> that a pool hashes. They are hashed in the order of the bits, independent of the order in
/// the file.
/// </summary>
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
