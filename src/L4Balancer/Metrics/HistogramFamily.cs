namespace L4Balancer.Metrics;

/// <summary>
/// What one histogram has recorded, a series per set of labels. Those are pools, which only a configuration can name, so nothing
/// bounds their number here. Any thread.
/// </summary>
/// <param name="bounds">The upper bounds of the buckets, ascending, without infinity.</param>
internal sealed class HistogramFamily(double[] bounds)
{
    private readonly List<Series> _series = [];
    private readonly Lock _recording = new();

    public void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> labels)
    {
        // The first bound that the value does not pass.
        int place = Array.BinarySearch(bounds, value);
        int bucket = place < 0 ? ~place : place;
        lock (_recording)
        {
            Series series = Find(labels);
            series.Counts[bucket]++;
            series.Sum += value;
        }
    }

    public void Write(PrometheusText text, string name, string help)
    {
        lock (_recording)
        {
            if (_series.Count > 0)
            {
                text.Family(name, help, FamilyType.Histogram);
            }

            foreach (Series series in _series)
            {
                Write(text, name, series);
            }
        }
    }

    private void Write(PrometheusText text, string name, Series series)
    {
        long upTo = 0;
        for (int i = 0; i < series.Counts.Length; i++)
        {
            upTo += series.Counts[i];
            text.Bucket(name, series.Labels, i < bounds.Length ? bounds[i] : double.PositiveInfinity, upTo);
        }

        text.Sample(name, "_sum", series.Labels, series.Sum);
        text.Sample(name, "_count", series.Labels, upTo);
    }

    // There are a few pools: looking through them costs less than a key would.
    private Series Find(ReadOnlySpan<KeyValuePair<string, object?>> labels)
    {
        foreach (Series series in _series)
        {
            if (labels.SequenceEqual(series.Labels))
            {
                return series;
            }
        }

        var fresh = new Series(labels.ToArray(), new long[bounds.Length + 1]);
        _series.Add(fresh);
        return fresh;
    }

    private sealed class Series(KeyValuePair<string, object?>[] labels, long[] counts)
    {
        public KeyValuePair<string, object?>[] Labels { get; } = labels;

        public long[] Counts { get; } = counts;

        public double Sum { get; set; }
    }
}
