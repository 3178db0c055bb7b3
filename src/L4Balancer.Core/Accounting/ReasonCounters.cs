namespace L4Balancer.Core.Accounting;

/// <summary>
/// One counter per <see cref="CloseReason"/>. Any thread may count and read; reads of different reasons are not atomic together.
/// </summary>
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

    /// <param name="prefix">What the name of each counter begins with; the name of the reason follows.</param>
    internal void WriteTo(CounterSheet sheet, string prefix)
    {
        for (var reason = CloseReason.None; (int)reason < _counts.Length; reason++)
        {
            if (this[reason] is not 0 and long count)
            {
                sheet[prefix + reason.Name()] = count;
            }
        }
    }

    internal void Add(CounterSheet counted, string prefix)
    {
        for (var reason = CloseReason.None; (int)reason < _counts.Length; reason++)
        {
            Interlocked.Add(ref _counts[(int)reason], counted[prefix + reason.Name()]);
        }
    }
}
