namespace L4Balancer.Core.Ports;

/// <summary>
/// How many ports we have left in TIME_WAIT under a minute ago, by the second. Whoever sends the first FIN of a connection keeps its
/// port that long (RFC 9293, 3.6.1; Linux says 60 s, TCP_TIMEWAIT_LEN). Any thread; no lock, and what is added is taken off once.
/// </summary>
internal sealed class TimeWaits
{
    public const int Seconds = 60;

    // A slot is given up four seconds before it is used again, so that a thread whose clock is a little behind adds to the right one.
    private const int Slots = 64;

    private readonly int[] _slots = new int[Slots];
    private long _expired;
    private int _total;

    /// <summary>As of the last look.</summary>
    public int Total => Volatile.Read(ref _total);

    public int At(long second)
    {
        Expire(second);
        return Total;
    }

    public void Add(long second)
    {
        Expire(second);
        Interlocked.Increment(ref _slots[second % Slots]);
        Interlocked.Increment(ref _total);
    }

    /// <summary>A port that has waited since that second serves again: the kernel reuses them early where tcp_tw_reuse lets it.</summary>
    public void Remove(long second)
    {
        ref int slot = ref _slots[second % Slots];
        int before = Volatile.Read(ref slot);
        while (before > 0)
        {
            int seen = Interlocked.CompareExchange(ref slot, before - 1, before);
            if (seen == before)
            {
                Interlocked.Decrement(ref _total);
                return;
            }

            before = seen;
        }
    }

    private void Expire(long second)
    {
        long done = Volatile.Read(ref _expired);
        long due = second - Seconds;
        if (due <= done || Interlocked.CompareExchange(ref _expired, due, done) != done)
        {
            return;
        }

        for (long s = Math.Max(done + 1, due - Slots + 1); s <= due; s++)
        {
            Interlocked.Add(ref _total, -Interlocked.Exchange(ref _slots[s % Slots], 0));
        }
    }
}
