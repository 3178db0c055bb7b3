using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using L4Balancer.Tests.Truth;

namespace L4Balancer.Tests.Chaos;

/// <summary>What must hold when no client is left: the gauges are zero, and the counters are what the access log says.</summary>
internal sealed class RestCheck(ChaosScene scene, AdminAsk ask, MetricsWatch watch)
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(25);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private static readonly string[] Gauges =
        ["connections_pending", "connections_active", "connections_half_closed", "worker_connections", "held_memory_bytes"];

    public Exposition? Last { get; private set; }

    public async Task RunAsync(CancellationToken stop)
    {
        var waited = Stopwatch.StartNew();
        List<string> wrong;
        do
        {
            await Task.Delay(Pause, stop);
            if (await ask.ScrapeAsync(local: true, stop) is not string text)
            {
                return;
            }

            watch.Compare(text, local: true);
            Last = new Exposition(text);
            wrong = [.. Differences(Last)];
        }
        while (wrong.Count > 0 && waited.Elapsed < Longest);

        wrong.ForEach(w => scene.Violations.Add($"at rest: {w}"));
        await CheckListingAsync(stop);
    }

    private IEnumerable<string> Differences(Exposition at)
    {
        foreach (string gauge in Gauges.Where(g => at.Sum(g) != 0))
        {
            yield return $"{gauge} is {at.Sum(gauge)}, not 0";
        }

        AccessTotals log = scene.Ledger.Totals;
        double accepted = at.Sum("connections_accepted_total");
        double refused = at.Sum("connections_refused_total");
        double closed = at.Sum("connections_closed_total");
        (string What, double Counted, double Right)[] sums =
        [
            ("connections_accepted_total against refused and closed", accepted, refused + closed),
            ("connections_accepted_total against the lines of the access log", accepted, log.Lines),
            ("connection_duration_seconds_count against connections_closed_total",
                at.Sum("connection_duration_seconds_count"), closed),
            ("connect_duration_seconds_count against connections_closed_total", at.Sum("connect_duration_seconds_count"), closed),
            ("connect_attempts_total against the access log", at.Sum("connect_attempts_total"), log.Attempts),
            ("relayed_bytes_total to backends against the log", at.Sum("relayed_bytes_total", "direction=to_backend"), log.ToBackend),
            ("relayed_bytes_total to clients against the log", at.Sum("relayed_bytes_total", "direction=to_client"), log.ToClient),
        ];
        foreach ((string what, double counted, double right) in sums.Where(s => s.Counted != s.Right))
        {
            yield return $"{what}: {counted} is not {right}";
        }

        IEnumerable<string> refusals = ByReason("connections_refused_total", at, log.Refused);
        foreach (string difference in refusals.Concat(ByReason("connections_closed_total", at, log.Closed)))
        {
            yield return difference;
        }
    }

    private static IEnumerable<string> ByReason(string name, Exposition at, IReadOnlyDictionary<string, long> log)
    {
        SortedDictionary<string, double> counted = at.By("reason", name);
        foreach (string reason in counted.Keys.Union(log.Keys))
        {
            if (counted.GetValueOrDefault(reason) != log.GetValueOrDefault(reason))
            {
                yield return string.Create(
                    CultureInfo.InvariantCulture,
                    $"{name}, reason {reason}: {counted.GetValueOrDefault(reason)}, in the access log {log.GetValueOrDefault(reason)}");
            }
        }
    }

    private async Task CheckListingAsync(CancellationToken stop)
    {
        (int status, string text) = await ask.AskAsync("GET", "/v1/connections?limit=20", null, stop, 200);
        if (status != 200)
        {
            return;
        }

        using var document = JsonDocument.Parse(text);
        if (document.RootElement.GetProperty("total").GetInt64() is > 0 and long total)
        {
            scene.Violations.Add($"at rest: /v1/connections lists {total} connections: {text}");
        }
    }
}
