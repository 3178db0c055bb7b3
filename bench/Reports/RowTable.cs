using System.Globalization;
using L4Balancer.Bench.Load;

namespace L4Balancer.Bench.Reports;

/// <summary>Prints one row: every contestant with its cost, rate and latency.</summary>
internal static class RowTable
{
    private static readonly double[] Shares = [0.5, 0.99, 0.999];
    private static readonly string[] Percentiles = ["p50 us", "p99 us", "p99.9 us"];

    public static void Print(Row row)
    {
        bool latency = row.Contestants.Where(row.Counts).Any(c => row[c][0].Latency is not null);
        string cost = $"CPU {row.Workload.CostUnit}/{row.Workload.Unit}";
        var table = new TextTable([row.Name, cost, "min .. max", row.Workload.Unit == Workload.BulkUnit ? "GiB/s" : $"{row.Workload.Unit}s/s", "busy", .. latency ? Percentiles : []]);
        foreach (string contestant in row.Contestants)
        {
            if (!row.Counts(contestant))
            {
                table.Add(contestant, "void: " + row.FaultOf(contestant));
                continue;
            }

            IReadOnlyList<BurstResult> results = row[contestant];
            Spread spread = Cost(row, contestant);
            table.Add(
            [
                contestant,
                Number(spread.Median, "0.00"),
                spread.Range("0.00"),
                Number(Spread.Of(results.Select(r => r.Rate)).Median, "0.0"),
                Number(Spread.Of(results.Select(r => r.Busy)).Median, "0%"),
                .. latency ? Latencies(results) : [],
            ]);
        }

        table.Print();
    }

    /// <summary>Cost per unit of the workload, in its unit of cost.</summary>
    public static Spread Cost(Row row, string contestant) =>
        Spread.Of(row[contestant].Select(r => r.NanosecondsPerUnit / row.Workload.PerCost));

    /// <summary>All rounds of a contestant in one.</summary>
    public static LatencyHistogram Merge(IEnumerable<BurstResult> results)
    {
        var merged = new LatencyHistogram();
        foreach (BurstResult result in results)
        {
            merged.Add(result.Latency!);
        }

        return merged;
    }

    private static string[] Latencies(IEnumerable<BurstResult> results)
    {
        LatencyHistogram merged = Merge(results);
        return [.. Shares.Select(share => Number(merged.Percentile(share), "0"))];
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
