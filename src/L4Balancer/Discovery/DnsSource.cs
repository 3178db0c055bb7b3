using System.Collections.Immutable;
using System.Net;
using DnsClient;
using DnsClient.Protocol;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Discovery;

namespace L4Balancer.Discovery;

/// <summary>
/// The source <c>dns</c>: SRV records (RFC 2782), or each A and AAAA of a host name. Asks again when the first of the records it has used would
/// expire, after at least a second and at most the interval. A name that does not exist is an empty set; an answer that is missing, or any other
/// than that, makes the set unknown.
/// </summary>
/// <param name="name">The name of the SRV records, or a host name with a port. Looked up as it stands: without a search domain, nor /etc/hosts.</param>
/// <param name="servers">The name servers; empty means those of resolv.conf(5), read again for each reading.</param>
/// <param name="interval">The longest time between two readings.</param>
internal sealed class DnsSource(string name, ImmutableArray<Endpoint> servers, TimeSpan interval, TimeProvider clock) : IBackendSource
{
    /// <summary>For the answer of one server; a second attempt follows, and then the next server.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan ShortestPause = TimeSpan.FromSeconds(1);

    /// <summary>After a failure, however long the interval is.</summary>
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(30);

    /// <summary>Look-ups at the same time, so that a name with many targets does not flood its name server.</summary>
    private const int MostAtOnce = 16;

    private IPEndPoint[] _servers = [];
    private LookupClient? _client;

    public async Task WatchAsync(Action<SourceReading> report, CancellationToken stop)
    {
        TimeSpan retry = ShortestPause;
        while (!stop.IsCancellationRequested)
        {
            TimeSpan pause;
            try
            {
                (SourceReading reading, pause) = await ReadAsync(stop);
                report(reading);
                retry = ShortestPause;
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // What a name server answers may be anything; the library throws several kinds of exceptions for what it cannot read.
                report(new SourceReading.Unknown(DnsQuestion.Describe(name, e)));
                pause = retry;
                retry = Shorter(retry + retry, Shorter(interval, LongestRetry));
            }

            // Balancers that were started together do not ask together.
            TimeSpan jittered = pause * (1 - (Random.Shared.NextDouble() / 10));
            await Task.Delay(jittered > ShortestPause ? jittered : ShortestPause, clock, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<(SourceReading Reading, TimeSpan Pause)> ReadAsync(CancellationToken stop)
    {
        using var places = new SemaphoreSlim(MostAtOnce);
        using var reading = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var question = new DnsQuestion(Client(), places, reading);
        ImmutableArray<DiscoveredBackend> backends = HostName.TryParse(name, out HostName host)
            ? [.. (await question.AddressesAsync(host.Host)).Select(a => new DiscoveredBackend(new Endpoint(a, host.Port)))]
            : await ServicesAsync(question);
        TimeSpan pause = question.Expires is { } expires ? Shorter(expires, interval) : interval;
        return (new SourceReading.Complete(backends, ""), pause);
    }

    private async Task<ImmutableArray<DiscoveredBackend>> ServicesAsync(DnsQuestion question)
    {
        IDnsQueryResponse answer = await question.AskAsync(name, QueryType.SRV);
        SrvRecord[] records = [.. answer.Answers.SrvRecords().Where(static r => r.Port != 0 && r.Target.Value != ".")];
        IReadOnlyList<HostAddress>[] addresses = await Task.WhenAll(records.Select(r => question.AddressesAsync(r.Target.Value, answer.Additionals)));
        return ServiceWeights.BackendsOf(records.Select((r, i) => new ServiceTarget(r.Priority, r.Weight, r.Port, addresses[i])));
    }

    private LookupClient Client()
    {
        IPEndPoint[] now = DnsQuestion.ServersOf(servers);
        if (_client is null || !now.SequenceEqual(_servers))
        {
            (_servers, _client) = (now, DnsQuestion.ClientOf(now, Patience));
        }

        return _client;
    }

    private static TimeSpan Shorter(TimeSpan one, TimeSpan other) => one < other ? one : other;
}
