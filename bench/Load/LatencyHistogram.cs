using System.Numerics;

namespace L4Balancer.Bench.Load;

/// <summary>Counts durations in buckets of a thirty-second of their power of two, so that every percentile is within 3%.</summary>
internal sealed class LatencyHistogram
{
    private const int SubBits = 5;

    private readonly long[] _counts = new long[64 << SubBits];

    public long Count { get; private set; }

    public void Add(long nanoseconds)
    {
        _counts[Bucket(nanoseconds)]++;
        Count++;
    }

    public void Add(LatencyHistogram other)
    {
        for (int i = 0; i < _counts.Length; i++)
        {
            _counts[i] += other._counts[i];
        }

        Count += other.Count;
    }

    /// <returns>Microseconds that this share of all stays below; 0 where there is none.</returns>
    public double Percentile(double share)
    {
        long rank = (long)Math.Ceiling(share * Count);
        long seen = 0;
        for (int i = 0; i < _counts.Length && rank > 0; i++)
        {
            seen += _counts[i];
            if (seen >= rank)
            {
                return Middle(i) / 1000.0;
            }
        }

        return 0;
    }

    private static int Bucket(long nanoseconds)
    {
        int power = Math.Max(BitOperations.Log2((ulong)Math.Max(nanoseconds, 1)) - SubBits, 0);
        return (power << SubBits) + (int)(nanoseconds >> power);
    }

    // The inverse: values of a bucket from power 1 on begin at 32 << power, and are counted from 32 within it.
    private static double Middle(int bucket)
    {
        int power = Math.Max((bucket >> SubBits) - 1, 0);
        return (bucket - (power << SubBits) + 0.5) * Math.Pow(2, power);
    }
}
