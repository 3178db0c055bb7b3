using L4Balancer.Engine.Linux;

namespace L4Balancer.Hosting;

/// <summary>
/// Keeps the control plane out of the event loops' way where both want one processor: every other thread of the process is nicer
/// (docs/decisions/0003-nicer-control-plane.md). Looks again now and then, because a thread that an event loop has made is as it is.
/// </summary>
internal sealed class QuietControlPlane : IDisposable
{
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromSeconds(5);

    private readonly ITimer _timer;

    public QuietControlPlane(TimeProvider clock)
    {
        Look();
        _timer = clock.CreateTimer(static _ => Look(), null, BetweenLooks, BetweenLooks);
    }

    public void Dispose() => _timer.Dispose();

    private static void Look()
    {
        if (OperatingSystem.IsLinux())
        {
            Niceness.YieldToEventLoops();
        }
    }
}
