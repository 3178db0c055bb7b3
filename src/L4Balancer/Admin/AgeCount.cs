using L4Balancer.Admin.Answers;
using L4Balancer.Core.Timing;
using L4Balancer.Engine;
using L4Balancer.Metrics;

namespace L4Balancer.Admin;

/// <summary>Counts established connections by their age, in the buckets of <c>connection_duration_seconds</c>. One thread.</summary>
internal sealed class AgeCount(Instant now)
{
    private readonly long[] _counts = new long[DurationHistograms.ConnectionBounds.Length + 1];

    public void Add(OpenConnection item)
    {
        if (item.Record.IsEstablished)
        {
            double age = (now - item.Record.AcceptedAt).TotalSeconds;
            int place = Array.FindIndex(DurationHistograms.ConnectionBounds, bound => age <= bound);
            _counts[place < 0 ? ^1 : place]++;
        }
    }

    public AgesAnswer Answer(DateTimeOffset at) => new(at.UtcDateTime, DurationHistograms.ConnectionBounds, _counts);
}
