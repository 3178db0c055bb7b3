using L4Balancer.Core.Addressing;
using L4Balancer.Core.Timing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Listening;

/// <summary>
/// How long an accept loop pauses after accept(2) has failed for want of descriptors or memory: from 10 ms, doubled with each failure in a
/// row, up to a second. The log has one line a minute at most, and one for the recovery that follows it. One thread at a time.
/// </summary>
internal sealed class AcceptBackoff(ILogger log)
{
    private const int MostDoublings = 10;

    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan BetweenLines = TimeSpan.FromMinutes(1);

    private int _failures;
    private Instant _nextLine;
    private bool _logged;

    /// <param name="exception">Where it was not accept(2) that failed: a fault of ours.</param>
    /// <returns>How long to wait before the next accept.</returns>
    public TimeSpan Failed(Endpoint endpoint, string error, Instant now, Exception? exception = null)
    {
        _failures++;
        if (now >= _nextLine)
        {
            log.AcceptBacksOff(endpoint, error, exception);
            _logged = true;
            _nextLine = now + BetweenLines;
        }

        return TimeSpan.FromTicks(Math.Min(First.Ticks << Math.Min(_failures - 1, MostDoublings), Longest.Ticks));
    }

    public void Succeeded(Endpoint endpoint)
    {
        if (_logged)
        {
            log.AcceptRecovered(endpoint, _failures);
            _logged = false;
        }

        _failures = 0;
    }
}
