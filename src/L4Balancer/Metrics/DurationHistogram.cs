using System.Collections.Concurrent;
using System.Globalization;
using L4Balancer.Core.Accounting;

namespace L4Balancer.Metrics;

/// <summary>Durations by pool, in buckets. Any thread.</summary>
/// <param name="bounds">Upper bounds in seconds, inclusive, in ascending order.</param>
internal sealed class DurationHistogram(string name, string help, double[] bounds)
{
    private readonly ConcurrentDictionary<string, Series> _pools = new();
    private readonly TimeSpan[] _bounds = [.. bounds.Select(TimeSpan.FromSeconds)];
    private readonly DateTimeOffset _created = TimeProvider.System.GetUtcNow();

    // What distinguishes a bucket between processes: another version may have other bounds.
    private readonly string[] _keys = [.. bounds.Select(static b => b.ToString("R", CultureInfo.InvariantCulture)), "inf"];

    public void Record(string pool, TimeSpan duration)
    {
        int bucket = 0;
        while (bucket < _bounds.Length && duration > _bounds[bucket])
        {
            bucket++;
        }

        Of(pool).Add(bucket, 1, duration.Ticks);
    }

    public void WriteTo(CounterSheet sheet)
    {
        ArgumentNullException.ThrowIfNull(sheet);
        foreach ((string pool, Series series) in _pools)
        {
            for (int i = 0; i < _keys.Length; i++)
            {
                sheet[$"{name}/{pool}/{_keys[i]}"] = series.Count(i);
            }

            sheet[$"{name}/{pool}/ticks"] = series.Ticks;
        }
    }

    /// <summary>A bucket that this version does not have counts in the next larger one.</summary>
    public void Add(CounterSheet counted)
    {
        ArgumentNullException.ThrowIfNull(counted);
        foreach ((string key, long value) in counted.Values)
        {
            if (key.Split('/') is not [var metric, var pool, var part] || metric != name)
            {
                continue;
            }

            if (part == "ticks")
            {
                Of(pool).Add(0, 0, value);
            }
            else
            {
                bool isBound = double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out double bound) && double.IsFinite(bound);
                int bucket = isBound ? Array.FindIndex(bounds, b => bound <= b) : -1;
                Of(pool).Add(bucket < 0 ? bounds.Length : bucket, value, 0);
            }
        }
    }

    /// <summary>As the exporter of the SDK writes a histogram.</summary>
    /// <param name="hasBegin">Whether the time is written at which it began to count.</param>
    public void WriteText(TextWriter text, bool isOpenMetrics, bool hasBegin)
    {
        if (_pools.IsEmpty)
        {
            return;
        }

        text.Write($"# TYPE {name} histogram\n# HELP {name} {help}\n");
        foreach ((string pool, Series series) in _pools.OrderBy(static p => p.Key, StringComparer.Ordinal))
        {
            long count = 0;
            for (int i = 0; i < _keys.Length; i++)
            {
                count += series.Count(i);
                text.Write(string.Create(
                    CultureInfo.InvariantCulture, $"{name}_bucket{{pool=\"{pool}\",le=\"{(i < bounds.Length ? Bound(_keys[i], isOpenMetrics) : "+Inf")}\"}} {count}\n"));
            }

            text.Write(string.Create(
                CultureInfo.InvariantCulture, $"{name}_sum{{pool=\"{pool}\"}} {new TimeSpan(series.Ticks).TotalSeconds:R}\n{name}_count{{pool=\"{pool}\"}} {count}\n"));
            if (hasBegin)
            {
                text.Write(string.Create(
                    CultureInfo.InvariantCulture, $"{name}_created{{pool=\"{pool}\"}} {_created.ToUnixTimeMilliseconds() / 1000.0:F3}\n"));
            }
        }
    }

    // OpenMetrics 1.0 wants a canonical number: a bound of 5 is 5.0 there.
    private static string Bound(string key, bool isOpenMetrics) => isOpenMetrics && !key.Contains('.', StringComparison.Ordinal) ? key + ".0" : key;

    private Series Of(string pool) => _pools.GetOrAdd(pool, static (_, buckets) => new Series(buckets), _keys.Length);

    private sealed class Series(int buckets)
    {
        private readonly long[] _counts = new long[buckets];
        private long _ticks;

        public long Ticks => Volatile.Read(ref _ticks);

        public long Count(int bucket) => Volatile.Read(ref _counts[bucket]);

        public void Add(int bucket, long count, long ticks)
        {
            Interlocked.Add(ref _counts[bucket], count);
            Interlocked.Add(ref _ticks, ticks);
        }
    }
}
