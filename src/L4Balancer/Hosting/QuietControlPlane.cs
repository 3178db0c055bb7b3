using L4Balancer.Engine.Linux;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>
/// Gives the event loops precedence where they compete with the control plane for a processor: every other thread of the process gets a
/// higher nice value (docs/decisions/0003-nicer-control-plane.md). Repeated at intervals, because a thread that an event loop has created
/// inherits its nice value.
/// </summary>
internal sealed class QuietControlPlane : IAsyncDisposable
{
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromSeconds(5);

    private readonly PeriodicJob _job;

    public QuietControlPlane(TimeProvider clock, ILogger<QuietControlPlane> log)
    {
        Look();
        _job = new PeriodicJob("lowering the priority of control plane threads", BetweenLooks, clock, log, Look);
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
