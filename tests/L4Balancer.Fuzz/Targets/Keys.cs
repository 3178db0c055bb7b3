using L4Balancer.Core.Addressing;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Fuzz.Targets;

/// <summary>Hash keys, and the connection that they are made of.</summary>
internal static class Keys
{
    public static FourTuple Client { get; } = new(
        new Endpoint(HostAddress.FromV4(0xC000_0201), 51234), new Endpoint(HostAddress.FromV4(0xC633_6401), 443));

    /// <param name="fields">As in <c>hash_key</c>.</param>
    public static HashKey Of(TupleFields tuple, params string[] fields) => new(
        tuple, fields.Select(text => HashKeyField.TryParse(text, out HashKeyField? field) ? field : throw new ArgumentException(text)));
}
