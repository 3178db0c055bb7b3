using L4Balancer.Engine.Linux;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>
/// Keeps the control plane out of the event loops' way where both want one processor: every other thread of the process is nicer
/// (docs/decisions/0003-nicer-control-plane.md). Looks again now and then, because a thread that an event loop has made is as it is.
/// </summary>
internal sealed class QuietControlPlane : IAsyncDisposable
{
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromSeconds(5);

    private readonly PeriodicJob _job;

    public QuietControlPlane(TimeProvider clock, ILogger<QuietControlPlane> log)
    {
        Look();
        _job = new PeriodicJob("lowering the priority of control threads", BetweenLooks, clock, log, Look);
    }

    public ValueTask DisposeAsync() => _job.DisposeAsync();

    private static void Look()
    {
        if (OperatingSystem.IsLinux())
        {
            Niceness.YieldToEventLoops();
        }
    }
}
