using L4Balancer.Core.Timing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Engine.Sockets;

/// <summary>Why a connect from the client's own address cannot be made.</summary>
/// <param name="IsRefused">
/// The kernel refuses the option IP_TRANSPARENT; otherwise it cannot bind to that address, or connect from it.
/// </param>
/// <param name="Error">The name of the error.</param>
internal readonly record struct TransparentFault(bool IsRefused, string Error);

/// <summary>
/// Logs that <c>transparent</c> does not work: each of the two kinds of faults of each pool at most every ten seconds. One call at a time.
/// </summary>
internal sealed class TransparentFaults(ILogger log)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    /// <summary>Reloads may bring new names without end; forgetting them all costs a few lines at the most.</summary>
    private const int MostEntries = 1024;

    private readonly Dictionary<(string Pool, bool IsRefused), Instant> _next = [];

    public void Note(string pool, TransparentFault fault, Instant now)
    {
        if (!IsDue((pool, fault.IsRefused), now))
        {
            return;
        }

        if (fault.IsRefused)
        {
            log.NotTransparent(pool, fault.Error);
        }
        else
        {
            log.CannotConnectAsClient(pool, fault.Error);
        }
    }

    private bool IsDue((string Pool, bool IsRefused) fault, Instant now)
    {
        if (_next.TryGetValue(fault, out Instant next) && now < next)
        {
            return false;
        }

        if (_next.Count >= MostEntries)
        {
            _next.Clear();
        }

        _next[fault] = now + Pause;
        return true;
    }
}
