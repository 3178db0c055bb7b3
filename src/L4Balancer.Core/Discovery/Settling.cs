using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Discovery;

/// <summary>
/// When changes that come one after the other are applied together, so that a burst builds one ring: <see cref="Quiet"/> after the first of
/// them, and while changes keep coming <see cref="Storm"/> after the last time. Virtual time; one thread at a time.
/// </summary>
public struct Settling
{
    public static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(100);

    public static readonly TimeSpan Storm = TimeSpan.FromMilliseconds(250);

    private Instant? _due;
    private Instant? _settled;

    /// <summary>Something has changed.</summary>
    /// <returns>When to apply it; null if that is due already for an earlier change.</returns>
    public Instant? Change(Instant now)
    {
        if (_due is not null)
        {
            return null;
        }

        Instant soon = now + Quiet;
        _due = _settled is { } last && last + Storm > soon ? last + Storm : soon;
        return _due;
    }

    /// <summary>What has changed is being applied.</summary>
    public void Settled(Instant now) => (_due, _settled) = (null, now);
}
