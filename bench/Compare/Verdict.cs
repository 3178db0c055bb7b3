using System.Globalization;
using L4Balancer.Bench.Load;
using L4Balancer.Bench.Reports;

namespace L4Balancer.Bench.Compare;

/// <summary>Prints what the comparison comes to: every ratio with its spread, and every bar with whether it is met.</summary>
internal static class Verdict
{
    private const double IdleAtMost = 512;
    private const double IdleAim = 256;
    private const long ResidentAtMost = 80_000_000;

    public static void Print(IEnumerable<Ratio> ratios)
    {
        var table = new TextTable("ratio (below 1: ours is cheaper)", "of", "to", "median", "min .. max", "at most", "aim", "");
        foreach (Ratio ratio in ratios)
        {
            table.Add(
                $"{ratio.Row}{(ratio.Latency ? ": p99" : "")}",
                ratio.Ours,
                ratio.Against,
                Number(ratio.Value.Median),
                ratio.Value.Range("0.00"),
                ratio.Bar is null ? "" : Number(ratio.Bar.AtMost),
                ratio.Bar?.Aim is double aim ? Number(aim) : "",
                ratio.Bar is null ? "" : Held(ratio.Value.Median, ratio.Bar.AtMost, ratio.Bar.Aim));
        }

        table.Print();
    }

    public static void Print(IReadOnlyList<IdleResult> idle)
    {
        var table = new TextTable(
            $"{IdleCrowd.Connections} idle connections", "resident before, MB", "user bytes/connection", "resident bytes/connection", "");
        foreach (IdleResult result in idle)
        {
            bool ours = result.Contestant.EndsWith("epoll", StringComparison.Ordinal);
            table.Add(
                result.Contestant,
                (result.Before.Resident / 1e6).ToString("0.0", CultureInfo.InvariantCulture),
                result.UserPerConnection.ToString("0", CultureInfo.InvariantCulture),
                result.ResidentPerConnection.ToString("0", CultureInfo.InvariantCulture),
                result.Fault is not null ? "void: " + result.Fault
                    : !ours ? ""
                    : result.Before.Resident >= ResidentAtMost ? $"at most {ResidentAtMost / 1_000_000} MB: NOT MET"
                    : $"at most {IdleAtMost}, aim {IdleAim}: {Held(result.UserPerConnection, IdleAtMost, IdleAim)}");
        }

        table.Print();
    }

    public static void Print(AllocationResult result)
    {
        var table = new TextTable("managed allocations on the event-loop thread", "bytes", "at most", "");
        table.Add($"{result.Messages} messages", $"{result.MessageBytes}", "0", Held(result.MessageBytes, 0, null));
        table.Add($"{result.Connections} connections", $"{result.ConnectionBytes}", "0", Held(result.ConnectionBytes, 0, null));
        table.Print();
        if (result.Fault is not null)
        {
            Console.WriteLine($"  void: {result.Fault}");
        }
    }

    private static string Held(double value, double atMost, double? aim) =>
        value > atMost ? "NOT MET" : value > (aim ?? atMost) ? "met" : aim is null ? "met" : "met, aim too";

    private static string Number(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);
}
