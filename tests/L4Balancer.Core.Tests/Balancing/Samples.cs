using System.Globalization;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Tests.Balancing;

/// <summary>Members and tuples that the fixtures of the ring share; every seed is fixed.</summary>
internal static class Samples
{
    public static Endpoint Endpoint(string text)
    {
        Assert.That(Core.Addressing.Endpoint.TryParse(text, out Endpoint endpoint), text);
        return endpoint;
    }

    public static FourTuple Tuple(string source, string destination) => new(Endpoint(source), Endpoint(destination));

    /// <summary>Clients of both families behind one listener, as they come: few networks, any port.</summary>
    public static FourTuple[] Tuples(int count, int seed = 1)
    {
        var random = new Random(seed);
        Endpoint destination = Endpoint("198.51.100.1:443");
        var tuples = new FourTuple[count];
        for (int i = 0; i < count; i++)
        {
            HostAddress source = i % 4 == 0
                ? new HostAddress(0x2001_0DB8_0000_0000, (ulong)random.Next(1 << 20))
                : HostAddress.FromV4(0x0A00_0000u + (uint)random.Next(1 << 20));
            tuples[i] = new FourTuple(new Endpoint(source, (ushort)random.Next(1024, 65536)), destination);
        }

        return tuples;
    }

    /// <summary>Members 0 to count-1 whose weights follow the given cycle; weight 100 without one.</summary>
    public static RingMember[] Members(int count, params int[] weights)
    {
        var members = new RingMember[count];
        for (int i = 0; i < count; i++)
        {
            string address = string.Create(CultureInfo.InvariantCulture, $"10.{i >> 16}.{(i >> 8) & 255}.{i & 255}:8443");
            members[i] = new RingMember(i, address, weights.Length == 0 ? 100 : weights[i % weights.Length]);
        }

        return members;
    }

    public static RingMember[] Without(RingMember[] members, int index) => Array.FindAll(members, m => m.Index != index);

    public static int[] Picks(Ring ring, AvailableSet available, FourTuple[] tuples) =>
        Array.ConvertAll(tuples, t => ring.Pick(t, available, []));

    public static int[] Picks(RingMember[] members, FourTuple[] tuples) => Picks(Ring.Build(members), AvailableSet.Of(members), tuples);
}
