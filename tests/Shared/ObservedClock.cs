namespace L4Balancer.Tests.Shared;

/// <summary>The system's clock, which calls a test where somebody uses it; the call may throw. Any thread may use it.</summary>
internal sealed class ObservedClock : TimeProvider
{
    /// <summary>Called where the time of day is asked for.</summary>
    public Action TimeOfDayAsked { get; set; } = static () => { };

    /// <summary>Called before a timer is made.</summary>
    public Action TimerMade { get; set; } = static () => { };

    public override DateTimeOffset GetUtcNow()
    {
        TimeOfDayAsked();
        return base.GetUtcNow();
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        TimerMade();
        return base.CreateTimer(callback, state, dueTime, period);
    }
}
