using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Pacing;

/// <summary>
/// When the next of a row of acts may come. What was not done in time is made up for by at most <see cref="Slack"/>: a stall is
/// followed by no burst, and nobody is ever further ahead than that. Any thread; several may share one, and share the rate then.
/// </summary>
public sealed class Pace
{
    /// <summary>Tokens of this time are kept.</summary>
    public static readonly TimeSpan Slack = TimeSpan.FromMilliseconds(10);

    private readonly Lock _gate = new();
    private Instant _next;

    /// <summary>The space between two acts; zero where the rate is no limit.</summary>
    /// <param name="perSecond">0: no limit.</param>
    public static TimeSpan Between(int perSecond) => perSecond == 0 ? TimeSpan.Zero : new TimeSpan(TimeSpan.TicksPerSecond / perSecond);

    /// <summary>A row of acts begins: what was not used before it gives nothing.</summary>
    public void Begin(Instant now)
    {
        lock (_gate)
        {
            _next = now > _next ? now : _next;
        }
    }

    /// <summary>Takes what may be done now.</summary>
    /// <param name="between">The space between two acts; zero: no limit.</param>
    /// <param name="most">How many are wanted.</param>
    /// <param name="next">When to ask again.</param>
    /// <returns>How many may be done now.</returns>
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

    /// <summary>Takes the next act, whenever it may be done.</summary>
    /// <returns>When.</returns>
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

    // With the act that is due now no more come at once than belong to the slack.
    private void CatchUp(Instant now, TimeSpan between)
    {
        Instant earliest = now + (between < Slack ? between - Slack : TimeSpan.Zero);
        _next = _next < earliest ? earliest : _next;
    }
}
