using System.Globalization;
using System.Text.Json;
using L4Balancer.Bench.Load;
using L4Balancer.Bench.Machine;

namespace L4Balancer.Bench.Reports;

/// <summary>Writes a run as JSON into bench/results, one object a row and contestant, with the figures of every round.</summary>
internal static class ResultFile
{
    private static readonly JsonSerializerOptions Options = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
    };

    /// <param name="extra">Further sections.</param>
    public static void Write(string kind, MachineFacts machine, RunOptions options, object versions, IEnumerable<Row> rows, object extra)
    {
        string directory = Path.Combine(OwnCommand.Repository, "bench", "results");
        Directory.CreateDirectory(directory);
        DateTime now = DateTime.UtcNow;
        string path = Path.Combine(directory, now.ToString($"'{kind}'-yyyyMMdd-HHmmss'.json'", CultureInfo.InvariantCulture));
        var document = new
        {
            kind,
            time = now,
            machine,
            options = new { options.Rounds, burstMilliseconds = options.Burst.TotalMilliseconds, options.Seed },
            versions,
            rows = rows.SelectMany(row => row.Contestants.Select(c => Describe(row, c))),
            extra,
        };
        File.WriteAllText(path, JsonSerializer.Serialize(document, Options) + "\n");
        Console.WriteLine($"written to {Path.GetRelativePath(Environment.CurrentDirectory, path)}");
    }

    private static object Describe(Row row, string contestant)
    {
        IReadOnlyList<BurstResult> results = row[contestant];
        if (!row.Counts(contestant))
        {
            return new { row = row.Name, contestant, fault = row.FaultOf(contestant) };
        }

        LatencyHistogram? latency = results[0].Latency is null ? null : RowTable.Merge(results);
        return new
        {
            row = row.Name,
            contestant,
            unit = row.Workload.Unit,
            cpuNanosecondsPerUnit = results.Select(r => Math.Round(r.NanosecondsPerUnit, 1)),
            unitsPerSecond = results.Select(r => Math.Round(r.Rate, 3)),
            busy = results.Select(r => Math.Round(r.Busy, 3)),
            p50Microseconds = latency?.Percentile(0.5),
            p99Microseconds = latency?.Percentile(0.99),
            p999Microseconds = latency?.Percentile(0.999),
        };
    }
}
