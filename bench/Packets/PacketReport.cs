using System.Globalization;
using L4Balancer.Bench.Load;
using L4Balancer.Bench.Reports;

namespace L4Balancer.Bench.Packets;

/// <summary>What a balancer adds to the way without one, round by round, and that of a packet listener as a ratio to it.</summary>
/// <param name="Own">CPU of the whole machine per unit less that without a balancer, in the unit of cost of the row.</param>
/// <param name="Ratios">Own cost of each packet listener to this one's, by the listener's name; below 1: the listener is cheaper.</param>
internal sealed record OwnShare(string Row, string Contestant, Spread Own, IReadOnlyDictionary<string, Spread> Ratios);

/// <summary>Prints the tables of <c>packet</c>.</summary>
internal static class PacketReport
{
    private static readonly string[] Listeners =
        [PacketField.OnSegment, PacketField.OnSegment + PacketField.InDriver, PacketField.InTunnel, PacketField.InTunnel + PacketField.InDriver];

    public static void Print(Row row)
    {
        string cost = $"{row.Workload.CostUnit}/{row.Workload.Unit}";
        var table = new TextTable(
        [
            row.Name, $"CPU {cost}", "min .. max", "its own", "min .. max", row.Workload.Unit == Workload.BulkUnit ? "GiB/s" : $"{row.Workload.Unit}s/s",
        ]);
        Dictionary<string, OwnShare> shares = Shares(row).ToDictionary(static s => s.Contestant);
        foreach (string contestant in row.Contestants)
        {
            if (!row.Counts(contestant))
            {
                table.Add(contestant, "void: " + row.FaultOf(contestant));
                continue;
            }

            Spread spread = RowTable.Cost(row, contestant);
            OwnShare? share = shares.GetValueOrDefault(contestant);
            table.Add(
            [
                contestant,
                Number(spread.Median),
                spread.Range("0.0"),
                share is null ? "" : Number(share.Own.Median),
                share is null ? "" : share.Own.Range("0.0"),
                Number(Spread.Of(row[contestant].Select(static r => r.Rate)).Median),
            ]);
        }

        table.Print();
        PrintRatios(shares.Values);
    }

    /// <summary>Of all contestants that count, if the way without a balancer does.</summary>
    public static IEnumerable<OwnShare> Shares(Row row)
    {
        if (!row.Counts(PacketField.Straight))
        {
            yield break;
        }

        foreach (string contestant in row.Contestants.Where(c => c != PacketField.Straight && row.Counts(c)))
        {
            double[] own = Own(row, contestant);
            yield return new OwnShare(
                row.Name, contestant, Spread.Of(own), Listeners.Where(l => l != contestant && row.Counts(l))
                    .ToDictionary(static l => l, l => Spread.Of(Own(row, l).Zip(own, static (ours, its) => ours / its))));
        }
    }

    public static void Print(IReadOnlyList<ProgramCost> programs)
    {
        if (programs.Count == 0)
        {
            return;
        }

        var table = new TextTable("BPF_PROG_TEST_RUN, XDP", "ns a packet", "min .. max");
        foreach (ProgramCost program in programs)
        {
            if (program.Fault is not null)
            {
                table.Add(program.Name, "void: " + program.Fault);
                continue;
            }

            table.Add(program.Name, Number(program.Nanoseconds.Median), program.Nanoseconds.Range("0"));
        }

        table.Print();
    }

    public static void Print(IReadOnlyList<FloodResult> floods)
    {
        if (floods.Count == 0)
        {
            return;
        }

        var table = new TextTable("flood of SYNs", "sent/s", "at backends/s", "min .. max", "answered/s", "min .. max", "CPU ns/SYN", "min .. max", "flows that live", "their round trips/s");
        foreach (IGrouping<string, FloodResult> group in floods.GroupBy(static f => f.Name))
        {
            Spread arrived = Spread.Of(group.Select(static f => f.ArrivedPerSecond)), answered = Spread.Of(group.Select(static f => f.AnsweredPerSecond));
            Spread cost = Spread.Of(group.Select(static f => f.NanosecondsPerSyn));
            bool hasFlows = group.All(static f => f.Flows > 0);
            table.Add(
                group.Key,
                Number(Spread.Of(group.Select(static f => f.SentPerSecond)).Median, "0"),
                Number(arrived.Median, "0"),
                arrived.Range("0"),
                Number(answered.Median, "0"),
                answered.Range("0"),
                Number(cost.Median, "0"),
                cost.Range("0"),
                hasFlows ? $"{group.Sum(static f => f.Living)} of {group.Sum(static f => f.Flows)}" : "",
                hasFlows ? Number(Spread.Of(group.Select(static f => f.RoundTripsPerSecond)).Median, "0") : "");
        }

        table.Print();
    }

    private static void PrintRatios(IEnumerable<OwnShare> shares)
    {
        OwnShare[] others = [.. shares.Where(static s => !Listeners.Contains(s.Contestant))];
        var table = new TextTable(["own CPU of a packet listener to that of", .. others.Select(static s => s.Contestant)]);
        foreach (string listener in Listeners.Where(l => others.Any(s => s.Ratios.ContainsKey(l))))
        {
            table.Add([listener, .. others.Select(s => $"{Ratio(s.Ratios[listener].Median)} ({s.Ratios[listener].Range("0.00")})")]);
        }

        table.Print();
    }

    private static string Ratio(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);

    private static double[] Own(Row row, string contestant) =>
        [.. row[contestant].Zip(row[PacketField.Straight], (its, straight) => (its.NanosecondsPerUnit - straight.NanosecondsPerUnit) / row.Workload.PerCost)];

    private static string Number(double value, string format = "0.0") => value.ToString(format, CultureInfo.InvariantCulture);
}
