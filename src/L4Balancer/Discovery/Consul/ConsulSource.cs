using System.Globalization;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Stores;

namespace L4Balancer.Discovery.Consul;

/// <summary>
/// The passing instances of a service of Consul, by blocking queries (Consul's HTTP API, "Blocking Queries"): Consul holds each answer back
/// until there is a change, or <see cref="DiscoverySettings.Interval"/> has passed.
/// </summary>
internal sealed class ConsulSource(DiscoverySettings settings, TimeProvider clock, Random random, StoreHttpOptions options) : IBackendSource
{
    /// <summary>Longer, a dead connection would be noticed too late.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(30);

    /// <summary>Between two queries: the index also moves for changes that concern nobody.</summary>
    private static readonly TimeSpan Gap = TimeSpan.FromMilliseconds(100);

    private readonly StoreAccess _access = DiscoveryAccess.Of(settings);
    private ulong _index;

    public async Task WatchAsync(Action<SourceReading> report, CancellationToken stop)
    {
        using var http = new StoreHttp(_access, options, clock);
        await new Attempts(clock, random).RepeatAsync(_ => OnceAsync(http, report, stop), stop);
    }

    private async Task<bool> OnceAsync(StoreHttp http, Action<SourceReading> report, CancellationToken stop)
    {
        SourceReading reading = await ReadAsync(http, stop);
        report(reading);
        if (reading is SourceReading.Complete)
        {
            await Task.Delay(Gap, clock, stop);
            return true;
        }

        // The next answer must not wait for a change.
        _index = 0;
        return false;
    }

    private async Task<SourceReading> ReadAsync(StoreHttp http, CancellationToken stop)
    {
        StoreResult<(string Name, string Value)[]> headers = StoreAuthorization.Token(_access, "X-Consul-Token");
        if (!headers.IsOk)
        {
            return new SourceReading.Unknown(headers.Fault);
        }

        StoreResult<StoreAnswer> answer = await http.SendAsync(Query(headers.Value), stop);
        if (!answer.IsOk)
        {
            return new SourceReading.Unknown(answer.Fault);
        }

        if (answer.Value.Status != 200)
        {
            return new SourceReading.Unknown(answer.Value.Describe());
        }

        string version = answer.Value.Header("X-Consul-Index");
        if (!ulong.TryParse(version, NumberStyles.None, CultureInfo.InvariantCulture, out ulong index) || index == 0)
        {
            return new SourceReading.Unknown($"{answer.Value.Place}: the answer has no X-Consul-Index: this is not Consul");
        }

        // What the token may not read is left out, and the answer is a success all the same.
        if (answer.Value.Header("X-Consul-Results-Filtered-By-ACLs").Equals("true", StringComparison.OrdinalIgnoreCase))
        {
            return new SourceReading.Unknown($"{answer.Value.Place}: the token may not read all instances and nodes of the service");
        }

        // It goes backwards when Consul was restored or replaced; waiting for the old index would then wait too long.
        _index = index < _index ? 0 : index;
        SourceReading reading = ConsulInstances.Read(answer.Value.Body, version);
        return reading is SourceReading.Unknown unknown ? new SourceReading.Unknown($"{answer.Value.Place}: {unknown.Why}") : reading;
    }

    private StoreRequest Query((string Name, string Value)[] headers)
    {
        TimeSpan wait = settings.Interval < LongestWait ? settings.Interval : LongestWait;
        string own = settings.Consul!.Query.TrimStart('?');
        string index = _index == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"&index={_index}&wait={(long)wait.TotalMilliseconds}ms");
        var address = new UriBuilder(settings.Consul)
        {
            Path = settings.Consul.AbsolutePath.TrimEnd('/') + "/v1/health/service/" + Uri.EscapeDataString(settings.Service),
            Query = $"{own}{(own.Length > 0 ? "&" : "")}passing=1{index}",
        };

        // Consul adds up to a sixteenth of the wait.
        return new StoreRequest(address.Uri) { Headers = headers, Timeout = _index == 0 ? null : (wait * 17 / 16) + options.Timeout };
    }
}
