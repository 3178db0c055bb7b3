using L4Balancer.Core.Addressing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Dns;

/// <summary>What a source gets.</summary>
public enum RateDecision : byte
{
    Answer,

    /// <summary>An empty, truncated answer.</summary>
    Slip,

    Drop,
}

/// <summary>
/// Response rate limiting: each source, an IPv4 /24 or an IPv6 /56, gets so many answers a second, and at once as many as in one second;
/// above that every second question is answered empty and truncated, so that real clients within a forged flood come by TCP, and the others
/// are dropped. The table has a fixed size: in each set of four the source that was seen least recently gives way. One thread at a time.
/// </summary>
/// <param name="seed">Unknown to clients, so that nobody can choose sources that displace another one.</param>
public sealed class AnswerRates(ulong seed)
{
    private const int Sets = 4096;
    private const int Ways = 4;

    // Counted in the 16 bytes of an address, in which IPv4 begins at bit 96.
    private const int PrefixV4 = 96 + 24;
    private const int PrefixV6 = 56;

    private readonly SeededAddressHash _hash = new(seed);
    private readonly Entry[] _entries = new Entry[Sets * Ways];

    /// <param name="rate">Answers a second for each source; 0 means no limit.</param>
    public RateDecision Decide(HostAddress source, int rate, Instant now)
    {
        if (rate == 0)
        {
            return RateDecision.Answer;
        }

        ref Entry entry = ref Find(source.Masked(source.IsV4 ? PrefixV4 : PrefixV6));
        long between = TimeSpan.TicksPerSecond / rate;
        long start = Math.Max(entry.Next, now.Ticks);
        if (start + between <= now.Ticks + TimeSpan.TicksPerSecond)
        {
            entry.Next = start + between;
            return RateDecision.Answer;
        }

        entry.HasSlipped = !entry.HasSlipped;
        return entry.HasSlipped ? RateDecision.Slip : RateDecision.Drop;
    }

    private ref Entry Find(HostAddress prefix)
    {
        Span<Entry> set = _entries.AsSpan((int)((uint)_hash.GetHashCode(prefix) % Sets) * Ways, Ways);
        int oldest = 0;
        for (int i = 0; i < Ways; i++)
        {
            if (set[i].IsUsed && set[i].Prefix == prefix)
            {
                return ref set[i];
            }

            oldest = set[i].Next < set[oldest].Next ? i : oldest;
        }

        set[oldest] = new Entry { Prefix = prefix, IsUsed = true, Next = long.MinValue };
        return ref set[oldest];
    }

    private struct Entry
    {
        public HostAddress Prefix;

        /// <summary>When the next answer is due, in the ticks of <see cref="Instant"/>.</summary>
        public long Next;
        public bool IsUsed;
        public bool HasSlipped;
    }
}
