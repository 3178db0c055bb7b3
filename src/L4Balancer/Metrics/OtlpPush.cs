using L4Balancer.Core.Config;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;

namespace L4Balancer.Metrics;

/// <summary>
/// Pushes the metrics to an OTLP collector, on a thread of its own and one push at a time: a collector that does not answer delays only that
/// thread. The SDK's periodic reader is not used: it pushes once more at its end and blocks until the answer, and its errors do not reach
/// the daemon's log.
/// </summary>
internal sealed class OtlpPush : IDisposable
{
    /// <summary>A collector that takes longer than this to answer has missed the figures of one time.</summary>
    private const int LongestCollect = 15_000;

    private static readonly TimeSpan LongestExport = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan BetweenComplaints = TimeSpan.FromMinutes(10);

    private readonly TimeSpan _every;
    private readonly ILogger _log;
    private readonly string _address;
    private readonly LastFault _fault = new();
    private readonly HttpClient _http;
    private readonly OtlpExporter _exporter;
    private readonly BaseExportingMetricReader _reader;
    private readonly MetricsPipeline _pipeline;
    private readonly ManualResetEventSlim _ended = new();
    private readonly Thread _pushing;
    private bool _works;
    private int _failures;
    private long _complainedAt;

    /// <param name="collector">With the path <c>/v1/metrics</c> HTTP, otherwise gRPC.</param>
    /// <param name="every">Between two pushes; the first comes soon.</param>
    public OtlpPush(Uri collector, BalancerMetrics metrics, TimeSpan first, TimeSpan every, ILogger<OtlpPush> log)
    {
        _every = every;
        _log = log;

        // Without what may stand before the host: that is a secret.
        _address = collector.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped);
        _http = new HttpClient(_fault) { Timeout = LongestExport };
        _exporter = new OtlpExporter(new OtlpExporterOptions
        {
            Endpoint = collector,
            Protocol = collector.AbsolutePath == "/v1/metrics" ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc,
            TimeoutMilliseconds = (int)LongestExport.TotalMilliseconds,
            HttpClientFactory = () => _http,
        });
        _reader = new BaseExportingMetricReader(_exporter);
        _pipeline = new MetricsPipeline(metrics, "Otlp", builder => builder.AddReader(_reader), static _ => null);
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
            _pipeline.Dispose();
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
                Note(Push());
            }
            catch (Exception e)
            {
                // A fault of ours in an instrument, or of the SDK: figures of one time are missing.
                _fault.Set(e.Message);
                Note(false);
            }
        }
    }

    /// <returns>False where the collector did not take it.</returns>
    private bool Push()
    {
        _exporter.IsAsked = true;
        try
        {
            return _reader.Collect(LongestCollect);
        }
        finally
        {
            _exporter.IsAsked = false;
        }
    }

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
            _log.PushFailed(_address, _failures, _fault.Take(), Duration.Format(_every));
            _complainedAt = now;
        }
    }

    /// <summary>The exporter reports its errors only to the SDK's own log; this keeps the last one for the daemon's log.</summary>
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
            _last = $"the collector answered {(int)response.StatusCode}{status}";
            return response;
        }
    }
}
