using L4Balancer.Core.Timing;

namespace L4Balancer.AccessLog;

/// <summary>
/// Limits the number of lines per second and counts dropped lines, so that a storm of failures fills neither the disk nor
/// the queue. One thread.
/// </summary>
internal sealed class LineBudget(int perSecond)
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(1);

    private Instant _windowEnd;
    private int _used;

    /// <summary>Lines dropped since <see cref="TakeHeldBack"/> last reported them.</summary>
    public int HeldBack { get; private set; }

    public bool TryTake(Instant now)
    {
        if (now >= _windowEnd)
        {
            _windowEnd = now + Window;
            _used = 0;
        }

        if (_used < perSecond)
        {
            _used++;
            return true;
        }

        HeldBack++;
        return false;
    }

    /// <returns>The number of dropped lines once their second is over; 0 before.</returns>
    public int TakeHeldBack(Instant now)
    {
        if (HeldBack == 0 || now < _windowEnd)
        {
            return 0;
        }

        int count = HeldBack;
        HeldBack = 0;
        return count;
    }
}
