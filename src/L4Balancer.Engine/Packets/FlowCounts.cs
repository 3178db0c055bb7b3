using System.Buffers.Binary;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Packets;

/// <summary>Counts what the map of flows holds.</summary>
internal static class FlowCounts
{
    /// <summary>Flows by the name of the listener that has their destination: the tuple is the key of a flow (<see cref="Frame.Key"/>).</summary>
    public static IReadOnlyDictionary<string, long> Of(PacketMaps maps, IEnumerable<PacketListener> listeners)
    {
        const int addressAt = Frame.Destination - Frame.Key, portAt = Frame.DestinationPort - Frame.Key;
        Dictionary<Endpoint, string> names = [];
        foreach (PacketListener listener in listeners)
        {
            foreach (Endpoint bind in listener.Binds)
            {
                names[bind] = listener.Name;
            }
        }

        Dictionary<string, long> counts = [];
        _ = Bpf.Walk(maps.Flows, KeyHashCode.TupleLength, PacketMaps.FlowValue, (keys, _, count) =>
        {
            for (int i = 0; i < count; i++)
            {
                ReadOnlySpan<byte> key = keys.Slice(i * KeyHashCode.TupleLength, KeyHashCode.TupleLength);
                var service = new Endpoint(
                    HostAddress.FromV6(key.Slice(addressAt, 16)), BinaryPrimitives.ReadUInt16BigEndian(key[portAt..]));
                if (names.TryGetValue(service, out string? name))
                {
                    counts[name] = counts.GetValueOrDefault(name) + 1;
                }
            }
        });
        return counts;
    }
}
