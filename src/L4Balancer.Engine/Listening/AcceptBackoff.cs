using L4Balancer.Core.Addressing;
using L4Balancer.Core.Timing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Listening;

/// <summary>
/// The pause of an accept loop after accept(2) has failed for lack of descriptors or memory: from 10 ms, doubled with each consecutive
/// failure, up to a second. It logs at most one line a minute, and one for the recovery that follows. One thread at a time.
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

    /// <param name="exception">Set if the failure was not in accept(2) but an internal fault.</param>
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
