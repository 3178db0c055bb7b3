using L4Balancer.Core.Timing;

namespace L4Balancer.Web;

/// <summary>
/// Limits a warning that peers can cause without end to one line in <see cref="Every"/>, so that it does not displace other events.
/// Any thread.
/// </summary>
internal sealed class PacedNotice(TimeProvider clock)
{
    public static readonly TimeSpan Every = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private Instant? _next;
    private long _times;

    /// <summary>Counts one occurrence.</summary>
    /// <param name="times">How many there were since the last line, including this one.</param>
    /// <returns>Whether to log it now.</returns>
    public bool MayLog(out long times)
    {
        Instant now = Instant.Now(clock);
        lock (_gate)
        {
            times = ++_times;
            if (now < _next)
            {
                return false;
            }

            _next = now + Every;
            _times = 0;
            return true;
        }
    }
}
