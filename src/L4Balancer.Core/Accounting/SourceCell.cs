using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Accounting;

/// <summary>
/// What happened at one of the addresses that the balancer connects from. Process-wide, kept from snapshot to snapshot. Any thread
/// may call anything here.
/// </summary>
/// <param name="address">Null where the kernel chooses the address.</param>
public sealed class SourceCell(HostAddress? address)
{
    private long _exhausted;
    private long _unusable;
    private volatile bool _touched;

    public HostAddress? Address { get; } = address;

    /// <summary>How the metrics call it: the address, or <c>auto</c>.</summary>
    public string Label { get; } = address?.ToString() ?? "auto";

    /// <summary>Connects that found no free local port towards their destination (connect(2), EADDRNOTAVAIL).</summary>
    public long Exhausted => Volatile.Read(ref _exhausted);

    /// <summary>Connects that failed because the address is not one of this host (bind(2), EADDRNOTAVAIL).</summary>
    public long Unusable => Volatile.Read(ref _unusable);

    /// <summary>Something was connected from here.</summary>
    public bool IsTouched => _touched;

    public void Touch()
    {
        // Read first: a line that every thread writes to would be written for each connection.
        if (!_touched)
        {
            _touched = true;
        }
    }

    public void CountExhausted() => Interlocked.Increment(ref _exhausted);

    public void CountUnusable() => Interlocked.Increment(ref _unusable);
}
