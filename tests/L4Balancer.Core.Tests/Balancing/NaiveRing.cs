using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;

namespace L4Balancer.Core.Tests.Balancing;

/// <summary>docs/hashing.md read literally: one sorted list, scanned from its beginning. Slow, and nothing in it is clever.</summary>
internal sealed class NaiveRing
{
    private readonly List<(ulong Hash, RingMember Member)> _points;

    public NaiveRing(RingMember[] members)
    {
        RingMember[] weighted = [.. members.Where(m => m.Weight > 0)];
        int size = Math.Max(weighted.Length, (int)Math.Ceiling(weighted.Sum(m => m.Weight) / 100.0));
        (int UpTo, int Points)[] steps =
            [(256, 1024), (1024, 512), (4096, 256), (16384, 128), (65536, 64), (131072, 32), (262144, 16), (524288, 8), (int.MaxValue, 4)];
        int basePoints = steps.First(s => size <= s.UpTo).Points;
        _points = [.. weighted
            .SelectMany(m => Enumerable
                .Range(0, Math.Max(1, (int)Math.Round(basePoints * m.Weight / 100m, MidpointRounding.AwayFromZero)))
                .Select(i => (XxHash64.Hash(Encoding.UTF8.GetBytes(m.Address), 0x4C34_5249_4E47_0000 + (ulong)i), m)))
            .OrderBy(p => p.Item1).ThenBy(p => p.m.Address, StringComparer.Ordinal)];
    }

    public IReadOnlyList<(ulong Hash, RingMember Member)> Points => _points;

    public int OwnerOf(ulong hash)
    {
        foreach ((ulong point, RingMember member) in _points)
        {
            if (point >= hash)
            {
                return member.Index;
            }
        }

        return _points[0].Member.Index;
    }

    public int Pick(FourTuple tuple, TupleFields fields, RingMember[] available, ushort[] tried)
    {
        RingMember[] left = [.. available.Where(m => !tried.Contains((ushort)m.Index))];
        if (left.Length == 0)
        {
            return Ring.None;
        }

        byte[] key = KeyOf(tuple, fields);
        for (ulong seed = 0; seed <= 32; seed++)
        {
            int owner = OwnerOf(XxHash64.Hash(key, seed));
            if (left.Any(m => m.Index == owner))
            {
                return owner;
            }
        }

        RingMember[] ordered = [.. available.OrderBy(m => m.Address, StringComparer.Ordinal)];
        int place = 0;
        for (ulong seed = 33; seed <= 48; seed++)
        {
            UInt128 weight = ((UInt128)XxHash64.Hash(key, seed) * (UInt128)available.Sum(m => m.Weight)) >> 64;
            UInt128 upTo = 0;
            place = Array.FindIndex(ordered, m => (upTo += (UInt128)m.Weight) > weight);
            if (left.Contains(ordered[place]))
            {
                return ordered[place].Index;
            }
        }

        return ordered[(place + 1)..].Concat(ordered[..place]).First(left.Contains).Index;
    }

    private static byte[] KeyOf(FourTuple tuple, TupleFields fields)
    {
        var key = new List<byte>();
        Append(tuple.Source, fields.HasFlag(TupleFields.SourceIp), fields.HasFlag(TupleFields.SourcePort));
        Append(tuple.Destination, fields.HasFlag(TupleFields.DestinationIp), fields.HasFlag(TupleFields.DestinationPort));
        return [.. key];

        void Append(Endpoint endpoint, bool address, bool port)
        {
            key.AddRange(address ? endpoint.Address.ToIPAddress().MapToIPv6().GetAddressBytes() : []);
            key.AddRange(port ? [(byte)(endpoint.Port >> 8), (byte)endpoint.Port] : []);
        }
    }
}
