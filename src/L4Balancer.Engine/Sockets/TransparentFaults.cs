using L4Balancer.Core.Timing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Sockets;

/// <summary>Logs that <c>transparent</c> does not work, at most every ten seconds. One call at a time.</summary>
internal sealed class TransparentFaults(ILogger log)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    private Instant _next;

    public void Note(string pool, string error, Instant now)
    {
        if (now >= _next)
        {
            _next = now + Pause;
            log.NotTransparent(pool, error);
        }
    }
}
