using L4Balancer.Bench.Load;
using L4Balancer.Bench.Survive.Peers;

namespace L4Balancer.Bench.Survive;

/// <summary>A part of the run: without events, with upgrades, or with kills.</summary>
/// <param name="Before">The connections of the thirds at its beginning.</param>
internal sealed record ScenePhase(
    string Kind, List<SceneEvent> Events, IReadOnlyDictionary<Third, TalkCounts> Before, VisitCounts VisitsBefore)
{
    /// <summary>In nanoseconds of CLOCK_MONOTONIC, as <see cref="Ended"/>.</summary>
    public long Begun { get; init; }

    public long Ended { get; set; }

    /// <summary>What was lost in it, by third.</summary>
    public IReadOnlyDictionary<Third, TalkCounts> Lost { get; set; } = new Dictionary<Third, TalkCounts>();

    public VisitCounts Visits { get; set; }

    /// <summary>How often the daemon ended by itself.</summary>
    public int Deaths { get; set; }

    /// <summary>Latencies of the messages of the phase.</summary>
    public Percentiles All { get; private set; } = Percentiles.None;

    /// <summary>Of those that were under way at any time of an event.</summary>
    public Percentiles Windows { get; private set; } = Percentiles.None;

    public int LostInAll => Lost.Values.Sum(static c => c.Lost);

    public int Wrong => Lost.Values.Sum(static c => c.Wrong);

    public int Failed => Events.Count(static e => e.Fault is not null);

    public void Measure(IReadOnlyCollection<Sample> samples)
    {
        Sample[] own = [.. samples.Where(s => s.Answered >= Begun && s.Asked <= Ended)];
        All = Percentiles.Of(own);
        Windows = Percentiles.Of(own.Where(s => Events.Exists(e => s.Answered >= e.Begun && s.Asked <= e.Ended)));
    }
}

/// <summary>Latencies in milliseconds.</summary>
internal sealed record Percentiles(long Messages, double P50, double P99, double P999, double Longest)
{
    public static Percentiles None { get; } = new(0, 0, 0, 0, 0);

    public static Percentiles Of(IEnumerable<Sample> samples)
    {
        var histogram = new LatencyHistogram();
        long longest = 0;
        foreach (Sample sample in samples)
        {
            histogram.Add(sample.Answered - sample.Asked);
            longest = Math.Max(longest, sample.Answered - sample.Asked);
        }

        return new Percentiles(histogram.Count, Milliseconds(0.5), Milliseconds(0.99), Milliseconds(0.999), longest / 1e6);

        double Milliseconds(double share) => histogram.Percentile(share) / 1e3;
    }
}
