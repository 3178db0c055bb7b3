namespace L4Balancer.Core.Addressing;

/// <summary>
/// The fields of a <see cref="FourTuple"/> that a pool hashes. They are hashed in the order source, destination, and address before port,
/// independent of the order in the file.
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

    /// <summary>The network of the source address (<see cref="SourceNet"/>); takes the place of <see cref="SourceIp"/>.</summary>
    SourceNet = 16,
}

/// <summary>Prefix lengths of the networks of clients, in bits: <c>source_net</c>.</summary>
/// <param name="V4">1 to 32.</param>
/// <param name="V6">1 to 128.</param>
public readonly record struct SourceNet(int V4, int V6)
{
    public static SourceNet Default { get; } = new(24, 64);

    /// <summary>The address with all bits after the prefix cleared.</summary>
    public HostAddress Of(HostAddress address) => address.Masked(address.IsV4 ? Cidr.MappedLength + V4 : V6);
}

/// <summary>What is hashed of a <see cref="FourTuple"/>: <c>hash_key</c> of a pool.</summary>
/// <param name="Net">Used if the fields have <see cref="TupleFields.SourceNet"/>.</param>
public readonly record struct TupleKey(TupleFields Fields, SourceNet Net)
{
    public static implicit operator TupleKey(TupleFields fields) => FromTupleFields(fields);

    public static TupleKey FromTupleFields(TupleFields fields) => new(fields, SourceNet.Default);
}
