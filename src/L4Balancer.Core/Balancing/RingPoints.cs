using System.Numerics;
using System.Text;

namespace L4Balancer.Core.Balancing;

/// <summary>
/// The points of a ring in ascending order, found through a table over the top bits of the hash: one or two points share a
/// bucket, so a lookup reads one entry and scans a point or two, whatever the size. Immutable; any thread.
/// </summary>
internal sealed class RingPoints
{
    /// <summary>The seed of a member's first point: "L4RING" and 16 zero bits, far from the small seeds that hash tuples.</summary>
    internal const ulong FirstSeed = 0x4C34_5249_4E47_0000;

    private readonly ulong[] _hashes;
    private readonly ushort[] _owners;

    // Where each bucket begins in the two arrays above. A scan may run past the end of its bucket: the next point is the owner then.
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

    /// <param name="members">In address order, each of a weight: between equal points the first member's comes first.</param>
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

    /// <summary>The member whose point is the first at or after the hash, around the end to the first of all. Needs a point.</summary>
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

    // A counting sort into buckets that hashes every point twice: 10 ns more for a point, and no second copy of them all.
    // _starts is counted two entries ahead and filled one ahead, so that it ends up holding the beginnings.
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

    // Backends that share an address share its one sequence of points, one after the other; each would else hide the next.
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

    // Insertion keeps equal points in the order of placing, which is that of the addresses.
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
