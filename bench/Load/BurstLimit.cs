using System.Diagnostics;

namespace L4Balancer.Bench.Load;

/// <summary>When a burst ends: after a time, or a number of units, whichever comes first.</summary>
internal sealed record BurstLimit(TimeSpan Time, long Units = long.MaxValue)
{
    public bool Reached(long start, long units) => units >= Units || Stopwatch.GetElapsedTime(start) >= Time;
}
