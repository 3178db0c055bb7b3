using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Exporter;

namespace L4Balancer.Metrics;

/// <summary>
/// Pushes the metrics to an OTLP collector, on a thread of its own and one push at a time: a collector that does not answer costs that
/// thread its patience and nobody anything else. The SDK's limits of series are fixed when its provider is built: when the backends
/// outgrow it, a larger one takes its place. The histograms have one that stays, because they add up in there.
/// </summary>
internal sealed class OtlpPush : IDisposable
{
    /// <summary>Series for which no backend has to stand: listeners, pools, workers, and a few that a reload may add.</summary>
    private const int Slack = 2000;

    /// <summary>Reasons that can end an established connection; what a refusal can say besides belongs to the listener.</summary>
    private const int ReasonsPerBackend = 14;

    private const int StatesPerBackend = 5;

    private static readonly TimeSpan LongestExport = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan BetweenComplaints = TimeSpan.FromMinutes(10);

    private readonly BackendCatalog _backends;
    private readonly TimeSpan _every;
    private readonly ILogger _log;
    private readonly string _address;
    private readonly OtlpExporterOptions _options;
    private readonly LastFault _fault = new();
    private readonly HttpClient _http;
    private readonly OtlpPipeline _histograms;
    private readonly ManualResetEventSlim _ended = new();
    private readonly Thread _pushing;
    private OtlpPipeline? _observed;
    private int _roomForBackends;
    private bool _works;
    private int _failures;
    private long _complainedAt;

    /// <param name="collector">With the path <c>/v1/metrics</c> HTTP, otherwise gRPC.</param>
    /// <param name="every">Between two pushes; the first comes soon.</param>
    public OtlpPush(Uri collector, BackendCatalog backends, TimeSpan first, TimeSpan every, ILogger<OtlpPush> log)
    {
        _backends = backends;
        _every = every;
        _log = log;

        // Without what may stand before the host: that is a secret.
        _address = collector.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped);
        _http = new HttpClient(_fault) { Timeout = LongestExport };
        _options = new OtlpExporterOptions
        {
            Endpoint = collector,
            Protocol = collector.AbsolutePath == "/v1/metrics" ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc,
            TimeoutMilliseconds = (int)LongestExport.TotalMilliseconds,
            HttpClientFactory = () => _http,
        };
        _histograms = new OtlpPipeline(_options, i => i is Histogram<double> ? Slack : null);
        _pushing = new Thread(() => PushAll(first)) { IsBackground = true, Name = "otlp" };
        _pushing.Start();
    }

    /// <summary>What is on its way is left to itself.</summary>
    public void Dispose()
    {
        _ended.Set();
        _http.CancelPendingRequests();
        if (_pushing.Join(TimeSpan.FromSeconds(1)))
        {
            _observed?.Dispose();
            _histograms.Dispose();
            _http.Dispose();
            _ended.Dispose();
        }
    }

    private void PushAll(TimeSpan first)
    {
        for (TimeSpan wait = first; !_ended.Wait(wait); wait = _every)
        {
            try
            {
                bool taken = Observed().Push();
                Note(_histograms.Push() && taken);
            }
            catch (Exception e)
            {
                // A fault of ours in an instrument, or of the SDK: figures of one time are missing.
                _fault.Set(e.Message);
                Note(false);
            }
        }
    }

    // Twice the room that is needed: whoever counts by differences sees a new provider as a new start, so there are to be few.
    private OtlpPipeline Observed()
    {
        int backends = _backends.Series.Count;
        if (_observed is null || backends > _roomForBackends)
        {
            _observed?.Dispose();
            _roomForBackends = 2 * backends;
            int room = _roomForBackends;
            _observed = new OtlpPipeline(_options, i => i is Histogram<double> ? null : MostSeries(i, room));
        }

        return _observed;
    }

    // drain, rebalance, backend_down, max_age, shutdown.
    private const int ShedReasons = 5;

    private static int MostSeries(Instrument instrument, int backends) => Slack + (backends * instrument.Name switch
    {
        MetricNames.ConnectionsClosed => ReasonsPerBackend,
        MetricNames.BackendState => StatesPerBackend,
        MetricNames.ConnectionsShed => ShedReasons,
        MetricNames.HealthChecks or MetricNames.ConnectFailures => 4,
        MetricNames.RelayedBytes => 2,
        MetricNames.ConnectionsActive or MetricNames.ConnectAttempts or MetricNames.BackendUp or MetricNames.BackendShareRatio
            or MetricNames.HealthTransitions => 1,
        _ => 0,
    });

    private void Note(bool taken)
    {
        if (taken)
        {
            if (!_works)
            {
                _log.Pushed(_address);
            }

            _works = true;
            _failures = 0;
            return;
        }

        // Once when it begins, then seldom: a collector may be away for days.
        long now = Environment.TickCount64;
        _works = false;
        if (++_failures == 1 || now - _complainedAt >= BetweenComplaints.TotalMilliseconds)
        {
            _log.PushFailed(_address, _failures, _fault.Take(), _every);
            _complainedAt = now;
        }
    }

    /// <summary>The exporter tells its faults only to the SDK's own log; this hears the last one on its way.</summary>
    private sealed class LastFault() : DelegatingHandler(new SocketsHttpHandler
    {
        ConnectTimeout = TimeSpan.FromSeconds(5),
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
    })
    {
        private volatile string? _last;

        public void Set(string fault) => _last = fault;

        public string Take() => _last ?? "no answer in time";

        protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            try
            {
                return Look(base.Send(request, cancellationToken));
            }
            catch (HttpRequestException e)
            {
                _last = e.Message;
                throw;
            }
        }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            try
            {
                return Look(await base.SendAsync(request, cancellationToken).ConfigureAwait(false));
            }
            catch (HttpRequestException e)
            {
                _last = e.Message;
                throw;
            }
        }

        private HttpResponseMessage Look(HttpResponseMessage response)
        {
            string status = response.TrailingHeaders.TryGetValues("grpc-status", out IEnumerable<string>? values)
                || response.Headers.TryGetValues("grpc-status", out values) ? $", grpc-status {values.First()}" : "";
            _last = $"it answers {(int)response.StatusCode}{status}";
            return response;
        }
    }
}
