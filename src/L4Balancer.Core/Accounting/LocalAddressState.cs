using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Accounting;

/// <summary>
/// Counters of one local address that the balancer connects from. Process-wide, kept across snapshots. Any thread may call any
/// member.
/// </summary>
/// <param name="address">Null if the kernel chooses the address.</param>
public sealed class LocalAddressState(HostAddress? address)
{
    /// <summary>Stands for the source of connections to UNIX sockets, which have none.</summary>
    internal static readonly LocalAddressState OfUnix = new(null);

    private long _exhausted;
    private long _unusable;
    private volatile bool _touched;

    public HostAddress? Address { get; } = address;

    /// <summary>The label in metrics: the address, or <c>auto</c>.</summary>
    public string Label { get; } = address?.ToString() ?? "auto";

    /// <summary>Connects that found no free local port towards their destination (connect(2), EADDRNOTAVAIL).</summary>
    public long Exhausted => Volatile.Read(ref _exhausted);

    /// <summary>Connects that failed because the address does not belong to this host (bind(2), EADDRNOTAVAIL).</summary>
    public long Unusable => Volatile.Read(ref _unusable);

    /// <summary>Whether a connect from this address was ever started.</summary>
    public bool IsTouched => _touched;

    public void Touch()
    {
        // Read first: a write by every connection would move the cache line between processors.
        if (!_touched)
        {
            _touched = true;
        }
    }

    internal void WriteTo(CounterSheet sheet) => (sheet["exhausted"], sheet["unusable"]) = (Exhausted, Unusable);

    internal void Add(CounterSheet counted)
    {
        Interlocked.Add(ref _exhausted, counted["exhausted"]);
        Interlocked.Add(ref _unusable, counted["unusable"]);
    }

    public void CountExhausted() => Interlocked.Increment(ref _exhausted);

    public void CountUnusable() => Interlocked.Increment(ref _unusable);
}
