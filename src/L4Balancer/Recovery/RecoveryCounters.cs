using L4Balancer.Core.Accounting;

namespace L4Balancer.Recovery;

/// <summary>What became of the connections of daemons that have crashed. Any thread.</summary>
internal sealed class RecoveryCounters : ICarriedCounters
{
    private long _adopted;
    private long _reset;

    /// <summary>They go on.</summary>
    public long Adopted => Interlocked.Read(ref _adopted);

    /// <summary>They were in the middle of a copy, were being closed, or had no backend yet.</summary>
    public long Reset => Interlocked.Read(ref _reset);

    public string CarriedName => "recovery";

    public void WriteTo(CounterSheet sheet)
    {
        ArgumentNullException.ThrowIfNull(sheet);
        (sheet["adopted"], sheet["reset"]) = (Adopted, Reset);
    }

    public void Add(CounterSheet counted)
    {
        ArgumentNullException.ThrowIfNull(counted);
        Interlocked.Add(ref _adopted, counted["adopted"]);
        Interlocked.Add(ref _reset, counted["reset"]);
    }

    public void Add(int adopted, int reset)
    {
        Interlocked.Add(ref _adopted, adopted);
        Interlocked.Add(ref _reset, reset);
    }
}
