using L4Balancer.Core.Addressing;
using L4Balancer.Core.Timing;
using L4Balancer.Web;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Admin.Access;

/// <summary>
/// Wrong tokens: they are counted and logged, and for a while each request with a token from the same source is delayed, the right one
/// too, because its answer would otherwise be known by its speed. A source is an IPv4 address or an IPv6 /64. Any thread.
/// </summary>
/// <param name="count">Called for each wrong token.</param>
internal sealed class TokenGuesses(TimeProvider clock, Action count, ILogger log)
{
    /// <summary>How long requests of a source are delayed after a wrong token.</summary>
    public static readonly TimeSpan Penalty = TimeSpan.FromSeconds(10);

    public static readonly TimeSpan Delay = TimeSpan.FromSeconds(1);

    /// <summary>Above this number the source whose penalty ends first is forgotten.</summary>
    private const int MostSources = 1024;

    private readonly Lock _gate = new();
    private readonly Dictionary<HostAddress, Instant> _until = [];
    private readonly PacedNotice _notice = new(clock);

    /// <summary>To be awaited before a token is compared.</summary>
    /// <param name="source">Null for a client that needs no token.</param>
    public Task WaitAsync(HostAddress? source, CancellationToken cancel)
    {
        lock (_gate)
        {
            return source is HostAddress address && _until.TryGetValue(address, out Instant until) && Instant.Now(clock) < until
                ? Task.Delay(Delay, clock, cancel) : Task.CompletedTask;
        }
    }

    /// <param name="name">The client, for the log.</param>
    public void Failed(HostAddress? source, string name)
    {
        count();
        if (source is HostAddress address)
        {
            lock (_gate)
            {
                if (_until.Count >= MostSources && !_until.ContainsKey(address))
                {
                    _until.Remove(_until.MinBy(static s => s.Value).Key);
                }

                _until[address] = Instant.Now(clock) + Penalty;
            }
        }

        if (_notice.MayLog(out long times))
        {
            log.WrongToken(name, times);
        }
    }
}
