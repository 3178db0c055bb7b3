using System.Globalization;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Stores;

namespace L4Balancer.Discovery.Kubernetes;

/// <summary>
/// The EndpointSlices of a service: a list, then a watch from its version on (Kubernetes API concepts, "Efficient detection of changes"). When
/// the watch ends, fails or has lasted for <see cref="DiscoverySettings.Interval"/>, all is listed again.
/// </summary>
/// <param name="environment">Gives a variable of the environment; null if it is not set.</param>
internal sealed class KubernetesSource(
    DiscoverySettings settings, TimeProvider clock, Random random, StoreHttpOptions options, Func<string, string?> environment) : IBackendSource
{
    /// <summary>A watch that ends sooner is followed by a pause: an API that ends each at once would be asked in a circle.</summary>
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(1);

    private const string Gone = ": status 410";

    private readonly SliceSet _slices = new(settings.Port);

    public async Task WatchAsync(Action<SourceReading> report, CancellationToken stop)
    {
        StoreResult<KubernetesSite> site = KubernetesSite.Of(settings, environment);
        if (!site.IsOk)
        {
            report(new SourceReading.Unknown(site.Fault));
            await Task.Delay(Timeout.InfiniteTimeSpan, clock, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return;
        }

        using var http = new StoreHttp(site.Value.Access, options, clock);
        await new Attempts(clock, random).RepeatAsync(_ => OnceAsync(site.Value, http, report, stop), stop);
    }

    private async Task<bool> OnceAsync(KubernetesSite site, StoreHttp http, Action<SourceReading> report, CancellationToken stop)
    {
        SourceReading reading = await ListAsync(site, http, stop);
        report(reading);
        if (_slices.Version.Length == 0)
        {
            return false;
        }

        long started = clock.GetTimestamp();
        bool inTime = await FollowAsync(site, http, report, stop);
        return inTime || clock.GetElapsedTime(started) >= Short;
    }

    private async Task<SourceReading> ListAsync(KubernetesSite site, StoreHttp http, CancellationToken stop)
    {
        _slices.Forget();
        StoreResult<(string Name, string Value)[]> headers = StoreAuthorization.Of(site.Access);
        if (!headers.IsOk)
        {
            return new SourceReading.Unknown(headers.Fault);
        }

        StoreResult<StoreAnswer> answer = await http.SendAsync(new StoreRequest(Address(site, "")) { Headers = headers.Value }, stop);
        return !answer.IsOk ? new SourceReading.Unknown(answer.Fault)
            : answer.Value.Status != 200 ? new SourceReading.Unknown(answer.Value.Describe())
            : _slices.List(answer.Value.Body) is string why ? new SourceReading.Unknown($"{answer.Value.Place}: {why}")
            : _slices.ToReading();
    }

    /// <returns>Whether the watch has lasted for the time that it may.</returns>
    private async Task<bool> FollowAsync(KubernetesSite site, StoreHttp http, Action<SourceReading> report, CancellationToken stop)
    {
        StoreResult<(string Name, string Value)[]> headers = StoreAuthorization.Of(site.Access);
        if (!headers.IsOk)
        {
            return false;
        }

        string version = Uri.EscapeDataString(_slices.Version);
        string query = string.Create(
            CultureInfo.InvariantCulture,
            $"&watch=1&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds={Math.Ceiling(settings.Interval.TotalSeconds)}");
        using var elapsed = new CancellationTokenSource(settings.Interval, clock);
        StoreResult<StoreStream> opened = await http.OpenAsync(new StoreRequest(Address(site, query)) { Headers = headers.Value }, stop);
        if (!opened.IsOk)
        {
            // 410: the version is too old, and only a list helps. Whoever may list and not watch has to know it; what a network does, the list shows.
            if (opened.IsRefusal && !opened.Fault.Contains(Gone, StringComparison.Ordinal))
            {
                report(new SourceReading.Unknown($"the watch is refused: {opened.Fault}"));
            }

            return false;
        }

        using StoreStream stream = opened.Value;
        while (true)
        {
            (ReadOnlyMemory<byte> line, StreamEnd end) = await stream.LineAsync(elapsed.Token, stop);
            if (end != StreamEnd.None)
            {
                return end == StreamEnd.Elapsed;
            }

            if (_slices.Follow(line.Span, out bool changed) is string why)
            {
                if (!_slices.IsExpired)
                {
                    report(new SourceReading.Unknown($"{site.Api.Authority}: {why}"));
                }

                return false;
            }

            if (changed)
            {
                report(_slices.ToReading());
            }
        }
    }

    private Uri Address(KubernetesSite site, string query) => new UriBuilder(site.Api)
    {
        Path = site.Api.AbsolutePath.TrimEnd('/')
            + $"/apis/discovery.k8s.io/v1/namespaces/{Uri.EscapeDataString(settings.Namespace)}/endpointslices",
        Query = "labelSelector=" + Uri.EscapeDataString($"kubernetes.io/service-name={settings.Service}") + query,
    }.Uri;
}
