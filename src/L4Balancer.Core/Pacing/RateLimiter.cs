using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Pacing;

/// <summary>
/// A token bucket that spaces out actions. Unused tokens are kept for at most <see cref="Slack"/>, so that a stall is not followed by
/// a burst. Any thread; callers that share one object share its rate.
/// </summary>
public sealed class RateLimiter
{
    /// <summary>The time for which unused tokens are kept.</summary>
    public static readonly TimeSpan Slack = TimeSpan.FromMilliseconds(10);

    private readonly Lock _gate = new();
    private Instant _next;

    /// <summary>When the next action may be done; goes over to another process by <see cref="Begin"/>.</summary>
    internal Instant Next
    {
        get
        {
            lock (_gate)
            {
                return _next;
            }
        }
    }

    /// <summary>The interval between two actions at a rate; zero means no limit.</summary>
    /// <param name="perSecond">Actions per second; 0 means no limit.</param>
    public static TimeSpan Between(int perSecond) => perSecond == 0 ? TimeSpan.Zero : new TimeSpan(TimeSpan.TicksPerSecond / perSecond);

    /// <summary>Starts a sequence of actions and discards unused tokens.</summary>
    public void Begin(Instant now)
    {
        lock (_gate)
        {
            _next = now > _next ? now : _next;
        }
    }

    /// <summary>Takes the actions that may be done now.</summary>
    /// <param name="between">The interval between two actions; zero means no limit.</param>
    /// <param name="most">The maximum number to take.</param>
    /// <param name="next">The time at which to call again.</param>
    /// <returns>The number of actions that may be done now.</returns>
    public int Take(Instant now, TimeSpan between, int most, out Instant next)
    {
        if (between <= TimeSpan.Zero)
        {
            next = now;
            return most;
        }

        lock (_gate)
        {
            CatchUp(now, between);
            int taken = 0;
            if (_next <= now)
            {
                taken = (int)Math.Min(most, 1 + ((now - _next).Ticks / between.Ticks));
                _next += between * taken;
            }

            next = _next;
            return taken;
        }
    }

    /// <summary>Reserves the next action, which may lie in the future.</summary>
    /// <returns>The time at which the action may be done.</returns>
    public Instant Reserve(Instant now, TimeSpan between)
    {
        if (between <= TimeSpan.Zero)
        {
            return now;
        }

        lock (_gate)
        {
            CatchUp(now, between);
            Instant due = _next;
            _next += between;
            return due > now ? due : now;
        }
    }

    // Together with the action that is due now, at most the number of actions that fit in the slack can follow at once.
    private void CatchUp(Instant now, TimeSpan between)
    {
        Instant earliest = now + (between < Slack ? between - Slack : TimeSpan.Zero);
        _next = _next < earliest ? earliest : _next;
    }
}
