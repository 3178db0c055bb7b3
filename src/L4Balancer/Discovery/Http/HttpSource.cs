using System.Text;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Stores;

namespace L4Balancer.Discovery.Http;

/// <summary>
/// A URL that is polled for a list of targets. With an ETag, the server may say that nothing has changed (RFC 9110, section 13.1.2); that is
/// the same reading once more.
/// </summary>
internal sealed class HttpSource(DiscoverySettings settings, TimeProvider clock, Random random, StoreHttpOptions options) : IBackendSource
{
    private readonly StoreAccess _access = DiscoveryAccess.Of(settings);
    private SourceReading.Complete? _last;
    private string _tag = "";

    public async Task WatchAsync(Action<SourceReading> report, CancellationToken stop)
    {
        using var http = new StoreHttp(_access, options, clock);
        await new Attempts(clock, random).RepeatAsync(_ => OnceAsync(http, report, stop), stop);
    }

    private async Task<bool> OnceAsync(StoreHttp http, Action<SourceReading> report, CancellationToken stop)
    {
        SourceReading reading = await ReadAsync(http, stop);
        report(reading);
        if (reading is not SourceReading.Complete)
        {
            return false;
        }

        // Balancers that were started together do not stay together.
        await Task.Delay(settings.Interval * (0.9 + (random.NextDouble() / 10)), clock, stop);
        return true;
    }

    private async Task<SourceReading> ReadAsync(StoreHttp http, CancellationToken stop)
    {
        StoreResult<(string Name, string Value)[]> headers = StoreAuthorization.Of(_access);
        if (!headers.IsOk)
        {
            return new SourceReading.Unknown(headers.Fault);
        }

        // A reading that could not be used must be had again.
        bool conditional = _last is not null && _tag.Length > 0;
        (string, string)[] all = conditional ? [.. headers.Value, ("If-None-Match", _tag)] : headers.Value;
        StoreResult<StoreAnswer> answer = await http.SendAsync(new StoreRequest(settings.Http!) { Headers = all }, stop);
        if (!answer.IsOk)
        {
            return new SourceReading.Unknown(answer.Fault);
        }

        if (answer.Value.Status == 304 && conditional)
        {
            return _last!;
        }

        if (answer.Value.Status != 200)
        {
            return new SourceReading.Unknown(answer.Value.Describe());
        }

        // A request can only have ASCII in a header; an answer may have more (RFC 9110, 8.8.3).
        string tag = answer.Value.Header("ETag") is var sent && Ascii.IsValid(sent) ? sent : "";
        SourceReading reading = HttpTargets.Read(answer.Value.Body, StoreAnswer.Quote(tag));
        _last = reading as SourceReading.Complete;
        _tag = _last is null ? "" : tag;
        return reading is SourceReading.Unknown unknown ? new SourceReading.Unknown($"{answer.Value.Place}: {unknown.Why}") : reading;
    }
}
