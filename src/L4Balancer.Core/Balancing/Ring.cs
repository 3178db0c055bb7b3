using System.Numerics;
using System.Text;

namespace L4Balancer.Core.Balancing;

/// <summary>
/// A weighted consistent-hash ring. docs/hashing.md defines the position of every point, so that two balancers, or another
/// program, agree on every tuple. It depends only on membership and weights. The points are stored in ascending order, with a lookup table
/// over the top bits of the hash: a bucket has one or two points on average, so a lookup reads one entry and scans a point or two,
/// independent of the size. Immutable; any thread.
/// </summary>
public sealed class Ring : HashPicker
{
    /// <summary>
    /// The seed of a member's first point: "L4RING" and 16 zero bits, which does not collide with the small seeds used for tuples.
    /// </summary>
    internal const ulong FirstSeed = 0x4C34_5249_4E47_0000;

    /// <summary>How many points of joining members are passed over: enough where they are up to nine tenths of the ring.</summary>
    private const int MostPassed = 256;

    private readonly ulong[] _hashes;
    private readonly ushort[] _owners;

    // The start of each bucket in the two arrays above. A scan may run past the end of its bucket; the next point is then the owner.
    private readonly int[] _starts;
    private readonly int _shift;

    private Ring(int count)
    {
        _hashes = new ulong[count];
        _owners = new ushort[count];
        int bits = Math.Max(1, BitOperations.Log2((uint)count));
        _starts = new int[(1 << bits) + 2];
        _shift = 64 - bits;
    }

    /// <summary>Number of points of all members. Each takes 10 bytes of memory, and 2 to 4 more in the lookup table.</summary>
    public int PointCount => _hashes.Length;

    /// <param name="members">In any order, each index once; the order does not affect any pick.</param>
    /// <exception cref="ArgumentOutOfRangeException">An index is outside 0 to 65535.</exception>
    public static Ring Build(ReadOnlySpan<RingMember> members)
    {
        // Of equal points, that of the member with the earlier address comes first.
        RingMember[] ordered = RingMember.InAddressOrder(members);
        int basePoints = RingDensity.BasePoints(RingDensity.SizeOf(ordered));
        int count = 0;
        int longest = 0;
        foreach (RingMember member in ordered)
        {
            count += RingDensity.PointsOf(member.Weight, basePoints);
            longest = Math.Max(longest, Encoding.UTF8.GetByteCount(member.Address));
        }

        var ring = new Ring(count);
        ring.Place(ordered, basePoints, new byte[longest]);
        return ring;
    }

    /// <summary>The member of the first point at or after the hash, wrapping around to the first point.</summary>
    protected internal override int OwnerOf(ulong hash) => _hashes.Length == 0 ? None : _owners[PointOf(hash)];

    /// <summary>
    /// The member of the first point at or after the hash that is not of a joining member. That is the owner on a ring without those, unless the
    /// size of the ring crosses a step of its density.
    /// </summary>
    protected internal override int OwnerWithoutJoining(ulong hash, AvailableSet available)
    {
        int at = PointOf(hash);
        for (int passed = 0; passed < MostPassed && available.IsJoining(_owners[at]); passed++)
        {
            at = at + 1 == _owners.Length ? 0 : at + 1;
        }

        return _owners[at];
    }

    internal override ulong HashOfTable(ReadOnlySpan<ulong> names)
    {
        ulong sum = (ulong)_hashes.Length;
        for (int i = 0; i < _hashes.Length; i++)
        {
            sum = Mix.Of(sum ^ _hashes[i]) + names[_owners[i]];
        }

        return sum;
    }

    private int PointOf(ulong hash)
    {
        ulong[] hashes = _hashes;
        int at = _starts[hash >> _shift];
        while ((uint)at < (uint)hashes.Length && hashes[at] < hash)
        {
            at++;
        }

        return at == hashes.Length ? 0 : at;
    }

    // A counting sort into buckets. It hashes every point twice, which costs 10 ns per point and avoids a second copy of all points.
    // The first pass counts into _starts two entries ahead and the second fills one ahead, so that _starts ends up with the starts.
    private void Place(ReadOnlySpan<RingMember> members, int basePoints, Span<byte> scratch)
    {
        Visit(members, basePoints, scratch, static (ring, hash, _) => ring._starts[(hash >> ring._shift) + 2]++);
        for (int bucket = 2; bucket < _starts.Length; bucket++)
        {
            _starts[bucket] += _starts[bucket - 1];
        }

        Visit(members, basePoints, scratch, static (ring, hash, owner) =>
        {
            int at = ring._starts[(hash >> ring._shift) + 1]++;
            ring._hashes[at] = hash;
            ring._owners[at] = owner;
        });
        SortWithinBuckets();
    }

    // Backends with the same address take consecutive parts of one sequence of points; otherwise their points would coincide.
    private void Visit(ReadOnlySpan<RingMember> members, int basePoints, Span<byte> scratch, Action<Ring, ulong, ushort> visit)
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
