using System.Numerics;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// One timer per slot index, in a hierarchical wheel (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987): setting,
/// moving and cancelling cost O(1), and no timer is an object. Single-threaded.
/// </summary>
/// <remarks>Four levels of 64 places: 8 ms, 0.5 s, 33 s and 35 min wide. A timer never fires early, and at most two ticks late.</remarks>
internal sealed class TimerWheel
{
    /// <summary>The resolution of the wheel.</summary>
    public static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(1 << TickShift);

    private const int TickShift = 3;
    private const long TicksPerMillisecond = TimeSpan.TicksPerMillisecond;
    private const int LevelBits = 6;
    private const int BucketsPerLevel = 1 << LevelBits;
    private const int Levels = 4;
    private const int None = -1;

    /// <summary>A timer further ahead than the wheel's range is placed again when its last bucket comes round.</summary>
    private const long Horizon = (1L << (LevelBits * Levels)) - 1;

    private readonly int[] _heads = new int[Levels * BucketsPerLevel];
    private readonly ulong[] _occupied = new ulong[Levels];
    private readonly Action<int> _due;
    private readonly Chunks<Node> _nodes = new();
    private long _current;

    /// <param name="due">Called by <see cref="Advance"/> with the index of each timer that is due; it may set timers.</param>
    public TimerWheel(Instant start, Action<int> due)
    {
        _due = due;
        _current = TickOf(start);
        Array.Fill(_heads, None);
    }

    /// <summary>Sets or moves the timer of this index. <see cref="Instant.Never"/> cancels it.</summary>
    public void Set(int index, Instant deadline)
    {
        Cancel(index);
        if (deadline == Instant.Never)
        {
            return;
        }

        // Rounded up, so that it never fires early.
        ref Node node = ref _nodes.Grow(index);
        node.Deadline = Math.Max(TickOf(deadline) + 1, _current + 1);
        Link(index, ref node);
    }

    public void Cancel(int index)
    {
        if (index >= _nodes.Length || _nodes[index].Bucket == 0)
        {
            return;
        }

        ref Node node = ref _nodes[index];
        int bucket = node.Bucket - 1;
        if (node.Previous == None)
        {
            _heads[bucket] = node.Next;
            if (node.Next == None)
            {
                _occupied[bucket / BucketsPerLevel] &= ~(1UL << (bucket % BucketsPerLevel));
            }
        }
        else
        {
            _nodes[node.Previous].Next = node.Next;
        }

        if (node.Next != None)
        {
            _nodes[node.Next].Previous = node.Previous;
        }

        node.Bucket = 0;
    }

    /// <summary>Milliseconds that a wait for events may last from now before a timer could be due; -1 if no timer is set.</summary>
    public int WaitFrom(Instant now)
    {
        long next = NextStop();
        if (next == long.MaxValue)
        {
            return -1;
        }

        // The tick begins at next << shift; one extra millisecond covers the rounding of both clocks.
        long milliseconds = (next << TickShift) - (now.Ticks / TicksPerMillisecond) + 1;
        return (int)Math.Clamp(milliseconds, 0, int.MaxValue);
    }

    /// <summary>Whether <see cref="Advance"/> would fire a timer, or may.</summary>
    public bool IsDue(Instant now) => NextStop() <= TickOf(now);

    /// <summary>Fires every timer that is due.</summary>
    public void Advance(Instant now)
    {
        long target = TickOf(now);
        while (_current < target)
        {
            // Only ticks with a non-empty bucket are visited; those between are skipped.
            _current = Math.Min(NextStop(), target);
            Cascade();
            Fire((int)(_current & (BucketsPerLevel - 1)));
        }
    }

    private static long TickOf(Instant instant) => instant.Ticks / TicksPerMillisecond >> TickShift;

    private void Link(int index, ref Node node)
    {
        long ahead = Math.Min(node.Deadline - _current, Horizon);
        int level = ahead < BucketsPerLevel ? 0 : (63 - BitOperations.LeadingZeroCount((ulong)ahead)) / LevelBits;
        long at = node.Deadline - _current > Horizon ? _current + Horizon : node.Deadline;
        int bucket = (level * BucketsPerLevel) + (int)((at >> (level * LevelBits)) & (BucketsPerLevel - 1));
        node.Bucket = bucket + 1;
        node.Previous = None;
        node.Next = _heads[bucket];
        if (node.Next != None)
        {
            _nodes[node.Next].Previous = index;
        }

        _heads[bucket] = index;
        _occupied[level] |= 1UL << (bucket % BucketsPerLevel);
    }

    // The next tick at which a non-empty bucket comes round: to fire on level 0, to cascade on the others.
    private long NextStop()
    {
        long next = long.MaxValue;
        for (int level = 0; level < Levels; level++)
        {
            if (_occupied[level] == 0)
            {
                continue;
            }

            int shift = level * LevelBits;
            long round = _current >> shift;
            int position = (int)(round & (BucketsPerLevel - 1));
            int distance = BitOperations.TrailingZeroCount(BitOperations.RotateRight(_occupied[level], (position + 1) & (BucketsPerLevel - 1))) + 1;
            next = Math.Min(next, (round + distance) << shift);
        }

        return next;
    }

    private void Cascade()
    {
        for (int level = Levels - 1; level > 0; level--)
        {
            int shift = level * LevelBits;
            if ((_current & ((1L << shift) - 1)) != 0)
            {
                continue;
            }

            int bucket = (level * BucketsPerLevel) + (int)((_current >> shift) & (BucketsPerLevel - 1));
            for (int index = TakeAll(bucket); index != None;)
            {
                ref Node node = ref _nodes[index];
                int next = node.Next;
                node.Bucket = 0;
                Link(index, ref node);
                index = next;
            }
        }
    }

    // Timers fire one at a time, because the callback may cancel others of the same bucket.
    private void Fire(int bucket)
    {
        while (_heads[bucket] != None)
        {
            int index = _heads[bucket];
            Cancel(index);
            _due(index);
        }
    }

    private int TakeAll(int bucket)
    {
        int head = _heads[bucket];
        _heads[bucket] = None;
        _occupied[bucket / BucketsPerLevel] &= ~(1UL << (bucket % BucketsPerLevel));
        return head;
    }

    private struct Node
    {
        public long Deadline;
        public int Next;
        public int Previous;

        /// <summary>Index of the bucket plus one; 0: not set.</summary>
        public int Bucket;
    }
}
