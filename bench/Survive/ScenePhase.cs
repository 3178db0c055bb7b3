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

    /// <summary>What the daemon used some time after each event.</summary>
    public List<DaemonFootprint> Footprints { get; } = [];

    /// <summary>How often the daemon ended by itself.</summary>
    public int Deaths { get; set; }

    /// <summary>Latencies of the messages of the phase.</summary>
    public Percentiles All { get; private set; } = Percentiles.None;

    /// <summary>Of those that were under way at any time of an event.</summary>
    public Percentiles Windows { get; private set; } = Percentiles.None;

    /// <summary>The slowest message of each event.</summary>
    public IReadOnlyList<SlowMessage> Slowest { get; private set; } = [];

    /// <summary>The slowest one sent between each event and the next.</summary>
    public IReadOnlyList<SlowMessage> SlowestLater { get; private set; } = [];

    public int LostInAll => Lost.Values.Sum(static c => c.Lost);

    public int Wrong => Lost.Values.Sum(static c => c.Wrong);

    public int Failed => Events.Count(static e => e.Fault is not null);

    public void Measure(IReadOnlyCollection<Sample> samples)
    {
        Sample[] own = [.. samples.Where(s => s.Answered >= Begun && s.Asked <= Ended)];
        All = Percentiles.Of(own);
        Windows = Percentiles.Of(own.Where(s => Events.Exists(e => s.Answered >= e.Begun && s.Asked <= e.Ended)));
        Slowest = [.. Events.Select(e => SlowMessage.Of(own.Where(s => s.Answered >= e.Begun && s.Asked <= e.Ended), e.Begun))];
        SlowestLater =
        [
            .. Events.Zip([.. Events.Skip(1).Select(static e => e.Begun), Ended])
                .Select(p => SlowMessage.Of(own.Where(s => s.Asked > p.First.Ended && s.Answered < p.Second), p.First.Ended)),
        ];
    }
}

/// <summary>A message that took long, in milliseconds.</summary>
/// <param name="After">How long after the begin, or the end, of an event it was sent.</param>
internal readonly record struct SlowMessage(double Took, double After)
{
    public static SlowMessage Of(IEnumerable<Sample> samples, long origin)
    {
        Sample slowest = samples.DefaultIfEmpty(new Sample(origin, origin)).MaxBy(static s => s.Answered - s.Asked);
        return new SlowMessage((slowest.Answered - slowest.Asked) / 1e6, (slowest.Asked - origin) / 1e6);
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
