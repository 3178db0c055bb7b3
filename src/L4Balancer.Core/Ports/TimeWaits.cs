namespace L4Balancer.Core.Ports;

/// <summary>
/// Counts, per second, the ports that the balancer left in TIME_WAIT less than a minute ago. The side that sends the first FIN keeps
/// the port for that time (RFC 9293, 3.6.1; 60 s on Linux, TCP_TIMEWAIT_LEN). Any thread; lock-free, and every addition is
/// subtracted exactly once.
/// </summary>
internal sealed class TimeWaits
{
    public const int Seconds = 60;

    // A slot expires four seconds before it is reused, so that a thread whose clock is slightly behind still adds to the right one.
    private const int Slots = 64;

    private readonly int[] _slots = new int[Slots];
    private long _expired;
    private int _total;

    /// <summary>The count as of the last update.</summary>
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

    /// <summary>Adds ports that another process left in TIME_WAIT; those that have left it by now are not counted.</summary>
    public void Add(long entered, int count, long second)
    {
        Expire(second);
        if (count > 0 && entered > second - Seconds && entered <= second)
        {
            Interlocked.Add(ref _slots[entered % Slots], count);
            Interlocked.Add(ref _total, count);
        }
    }

    /// <summary>How many ports entered TIME_WAIT in that second and are still in it; 0 for one that is over.</summary>
    public int Entered(long entered, long second)
    {
        Expire(second);
        return entered > second - Seconds && entered <= second ? Volatile.Read(ref _slots[entered % Slots]) : 0;
    }

    /// <summary>
    /// Removes a port that entered TIME_WAIT in that second and is used again; the kernel reuses ports early if tcp_tw_reuse allows it.
    /// </summary>
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
