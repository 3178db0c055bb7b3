namespace L4Balancer.Core.Accounting;

/// <summary>One counter per <see cref="CloseReason"/>. Any thread may count and read; a read is a moment's value of one reason.</summary>
public sealed class ReasonCounters
{
    private readonly long[] _counts = new long[CloseReasons.Count];

    public long this[CloseReason reason] => Volatile.Read(ref _counts[(int)reason]);

    public long Total
    {
        get
        {
            long total = 0;
            for (int i = 0; i < _counts.Length; i++)
            {
                total += Volatile.Read(ref _counts[i]);
            }

            return total;
        }
    }

    public void Count(CloseReason reason) => Interlocked.Increment(ref _counts[(int)reason]);
}
