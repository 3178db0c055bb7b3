using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Accounting;

/// <summary>
/// Counts events of the recent past: each counts fully until the current window of ten seconds ends, then fades over the next window, and
/// is forgotten after at most twenty seconds. One word, no lock: the number of the window in 24 bits, which last for five years, and the
/// counts of the previous and of the current window in 20 bits each. Any thread. The default value is an empty one; it must not be copied.
/// </summary>
internal struct FadingCount
{
    public static readonly TimeSpan Window = TimeSpan.FromSeconds(10);

    private const int CountBits = 20;
    private const int NumberBits = 24;
    private const ulong MostCount = (1 << CountBits) - 1;

    private ulong _packed;

    public void Add(Instant now)
    {
        ulong before;
        ulong after;
        do
        {
            before = Volatile.Read(ref _packed);
            (ulong previous, ulong current) = Counts(before, now);
            current = Math.Min(current + 1, MostCount);
            ulong number = IsPassed(before, now) ? before >> (2 * CountBits) : Number(now);
            after = (number << (2 * CountBits)) | (previous << CountBits) | current;
        }
        while (Interlocked.CompareExchange(ref _packed, after, before) != before);
    }

    /// <summary>How many events count at this time, rounded down.</summary>
    public readonly int At(Instant now)
    {
        ulong packed = Volatile.Read(in _packed);
        if (packed == 0)
        {
            return 0;
        }

        (ulong previous, ulong current) = Counts(packed, now);
        double left = IsPassed(packed, now) ? 1 : 1 - ((double)(now.Ticks % Window.Ticks) / Window.Ticks);
        return (int)(current + (previous * left));
    }

    // The counts as they are in the window of this time. A time that another thread has already passed counts as the newer one.
    private static (ulong Previous, ulong Current) Counts(ulong packed, Instant now)
    {
        ulong previous = (packed >> CountBits) & MostCount;
        ulong current = packed & MostCount;
        return Age(packed, now) switch
        {
            0 or -1 => (previous, current),
            1 => (current, 0),
            _ => (0, 0),
        };
    }

    // Whether another thread has begun the next window already.
    private static bool IsPassed(ulong packed, Instant now) => Age(packed, now) == -1;

    // How many windows later than the packed one this time is.
    private static long Age(ulong packed, Instant now) =>
        ((long)(Number(now) - (packed >> (2 * CountBits))) << (64 - NumberBits)) >> (64 - NumberBits);

    private static ulong Number(Instant now) => (ulong)(now.Ticks / Window.Ticks) & ((1 << NumberBits) - 1);
}
