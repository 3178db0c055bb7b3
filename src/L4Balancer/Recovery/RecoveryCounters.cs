using L4Balancer.Core.Accounting;

namespace L4Balancer.Recovery;

/// <summary>What became of the connections of daemons that have crashed. Any thread.</summary>
internal sealed class RecoveryCounters : ICarriedCounters
{
    private const string AdoptedName = "adopted";
    private const string ResetName = "reset";

    private long _adopted;
    private long _reset;

    /// <summary>They go on.</summary>
    public long Adopted => Interlocked.Read(ref _adopted);

    /// <summary>They were in the middle of a copy, were being closed, or had no backend yet.</summary>
    public long Reset => Interlocked.Read(ref _reset);

    public string CarriedName => "recovered";

    public void WriteTo(CounterSheet sheet)
    {
        sheet[AdoptedName] = Adopted;
        sheet[ResetName] = Reset;
    }

    public void Add(CounterSheet counted) => Add(counted[AdoptedName], counted[ResetName]);

    public void Add(long adopted, long reset)
    {
        Interlocked.Add(ref _adopted, adopted);
        Interlocked.Add(ref _reset, reset);
    }
}
