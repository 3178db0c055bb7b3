using System.Numerics;
using System.Text;

namespace L4Balancer.Core.Balancing;

/// <summary>
/// The points of a ring in ascending order, with a lookup table over the top bits of the hash. A bucket has one or two points on
/// average, so a lookup reads one entry and scans a point or two, independent of the size. Immutable; any thread.
/// </summary>
internal sealed class RingPoints
{
    /// <summary>
    /// The seed of a member's first point: "L4RING" and 16 zero bits, which does not collide with the small seeds used for tuples.
    /// </summary>
    internal const ulong FirstSeed = 0x4C34_5249_4E47_0000;

    private readonly ulong[] _hashes;
    private readonly ushort[] _owners;

    // The start of each bucket in the two arrays above. A scan may run past the end of its bucket; the next point is then the owner.
    private readonly int[] _starts;
    private readonly int _shift;

    private RingPoints(int count)
    {
        _hashes = new ulong[count];
        _owners = new ushort[count];
        int bits = Math.Max(1, BitOperations.Log2((uint)count));
        _starts = new int[(1 << bits) + 2];
        _shift = 64 - bits;
    }

    public int Count => _hashes.Length;

    /// <param name="members">In address order, all of a weight above 0. Of equal points, that of the earlier member comes first.</param>
    public static RingPoints Of(ReadOnlySpan<RingMember> members)
    {
        int basePoints = RingDensity.BasePoints(RingDensity.SizeOf(members));
        int count = 0;
        int longest = 0;
        foreach (RingMember member in members)
        {
            count += RingDensity.PointsOf(member.Weight, basePoints);
            longest = Math.Max(longest, Encoding.UTF8.GetByteCount(member.Address));
        }

        var points = new RingPoints(count);
        points.Place(members, basePoints, new byte[longest]);
        return points;
    }

    /// <summary>The member of the first point at or after the hash, wrapping around to the first point. Needs at least one point.</summary>
    public int OwnerOf(ulong hash)
    {
        ulong[] hashes = _hashes;
        int at = _starts[hash >> _shift];
        while ((uint)at < (uint)hashes.Length && hashes[at] < hash)
        {
            at++;
        }

        return _owners[at == hashes.Length ? 0 : at];
    }

    // A counting sort into buckets. It hashes every point twice, which costs 10 ns per point and avoids a second copy of all points.
    // The first pass counts into _starts two entries ahead and the second fills one ahead, so that _starts ends up with the starts.
    private void Place(ReadOnlySpan<RingMember> members, int basePoints, Span<byte> scratch)
    {
        Walk(members, basePoints, scratch, static (points, hash, _) => points._starts[(hash >> points._shift) + 2]++);
        for (int bucket = 2; bucket < _starts.Length; bucket++)
        {
            _starts[bucket] += _starts[bucket - 1];
        }

        Walk(members, basePoints, scratch, static (points, hash, owner) =>
        {
            int at = points._starts[(hash >> points._shift) + 1]++;
            points._hashes[at] = hash;
            points._owners[at] = owner;
        });
        SortWithinBuckets();
    }

    // Backends with the same address take consecutive parts of one sequence of points; otherwise their points would coincide.
    private void Walk(ReadOnlySpan<RingMember> members, int basePoints, Span<byte> scratch, Action<RingPoints, ulong, ushort> visit)
    {
        string? address = null;
        int length = 0;
        ulong seed = 0;
        foreach (RingMember member in members)
        {
            if (member.Address != address)
            {
                address = member.Address;
                length = Encoding.UTF8.GetBytes(address, scratch);
                seed = FirstSeed;
            }

            for (int left = RingDensity.PointsOf(member.Weight, basePoints); left > 0; left--)
            {
                visit(this, XxHash64.Hash(scratch[..length], seed++), (ushort)member.Index);
            }
        }
    }

    // Insertion sort is stable: equal points stay in the order in which they were placed, which is the address order.
    private void SortWithinBuckets()
    {
        for (int next = 1; next < _hashes.Length; next++)
        {
            ulong hash = _hashes[next];
            ushort owner = _owners[next];
            int at = next;
            for (; at > 0 && _hashes[at - 1] > hash; at--)
            {
                _hashes[at] = _hashes[at - 1];
                _owners[at] = _owners[at - 1];
            }

            _hashes[at] = hash;
            _owners[at] = owner;
        }
    }
}
