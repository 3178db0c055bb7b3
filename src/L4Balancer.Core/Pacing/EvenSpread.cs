namespace L4Balancer.Core.Pacing;

/// <summary>Spreads a number of acts evenly over a time: the first at once, the last one step before the end.</summary>
public readonly record struct EvenSpread(int Count, TimeSpan Over)
{
    /// <summary>When the act of this number (from 0) is due, counted from the start.</summary>
    public TimeSpan DueAt(int number) => Count == 0 ? TimeSpan.Zero : new TimeSpan((long)((Int128)Over.Ticks * number / Count));
}
