using L4Balancer.Core.Dns;
using L4Balancer.Core.Timing;
using L4Balancer.Web;
using Microsoft.Extensions.Logging;

namespace L4Balancer.NameServer;

/// <summary>What UDP and TCP share: the zone, the counts, and a number that differs from answer to answer. Any thread.</summary>
internal sealed class Answering(DnsView view, DnsCounters counters, ulong seed, TimeProvider clock, ILogger log)
{
    private readonly PacedNotice _faults = new(clock);
    private readonly PacedNotice _limits = new(clock);
    private long _draws = (long)seed;

    public ulong Seed => seed;

    public TimeProvider Clock => clock;

    /// <summary>The name of the zone, for logs.</summary>
    public string Zone => view.ZoneName;

    public Instant Now => Instant.Now(clock);

    /// <returns>The length of the response; 0 if there is none.</returns>
    public int Answer(ReadOnlySpan<byte> message, bool overTcp, Span<byte> response)
    {
        try
        {
            ulong draw = (ulong)Interlocked.Increment(ref _draws);
            int length = DnsAnswers.Answer(view.Current(), message, overTcp, draw, response, out DnsResult result);
            counters.Count(result);
            return length;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A bug. One question of one client must not end the service.
            counters.Count(DnsResult.Ignored);
            if (_faults.MayLog(out long times))
            {
                log.DnsFault(times, e);
            }

            return 0;
        }
    }

    /// <summary>The response to a source above its rate.</summary>
    public int Slip(ReadOnlySpan<byte> message, Span<byte> response)
    {
        int length = DnsAnswers.Truncate(message, response);
        counters.Count(length > 0 ? DnsResult.Slipped : DnsResult.Ignored);
        return length;
    }

    public void Ignore() => counters.Count(DnsResult.Ignored);

    /// <summary>A source is above its rate, and this question of it is not answered.</summary>
    public void Limit(Core.Addressing.Endpoint source, int rate)
    {
        counters.Count(DnsResult.Limited);
        if (_limits.MayLog(out long times))
        {
            log.DnsLimited(source.Address.ToString(), times, rate);
        }
    }
}
