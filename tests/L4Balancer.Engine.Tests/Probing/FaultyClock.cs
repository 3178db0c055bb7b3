namespace L4Balancer.Engine.Tests.Probing;

/// <summary>The system's clock, until it makes no more timers.</summary>
internal sealed class FaultyClock : TimeProvider
{
    public bool IsBroken { get; set; }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        IsBroken ? throw new InvalidOperationException("no timer") : base.CreateTimer(callback, state, dueTime, period);
}
