using L4Balancer.Bench.Contestants;
using L4Balancer.Bench.Load;
using L4Balancer.Bench.Machine;
using L4Balancer.Bench.Reports;

namespace L4Balancer.Bench.Compare;

/// <summary><c>compare</c>: the daemon beside HAProxy and nginx, in one run.</summary>
internal static class CompareCommand
{
    /// <summary>Ends the name of a contestant that is another build of the daemon.</summary>
    public const string OtherBuild = ", other build";

    private const string IdleRow = "idle connections";
    private const string AllocationRow = "allocations";

    private static readonly string[] Engines = ["epoll", "managed"];

    private static readonly (Duty Duty, string Suffix, IReadOnlyList<Workload> Workloads)[] Groups =
    [
        (Duty.Relay, "", Workload.All),
        (Duty.AccessLog, ", access log on", [Workload.RequestsAt64]),
        (Duty.ServerNames, Bar.ByServerName, [Workload.MessagesAt64, Workload.RequestsAt64]),
        (Duty.Proxy, Bar.WithProxy, [Workload.MessagesAt64, Workload.RequestsAt64]),
        (Duty.Relay, Bar.ByKeeper, [Workload.MessagesAt64, Workload.RequestsAt64]),
    ];

    public static int Run(RunOptions options)
    {
        string[] names = [.. Groups.SelectMany(static g => g.Workloads.Select(w => w.Name + g.Suffix)), IdleRow, AllocationRow];
        if (!names.Any(options.Includes))
        {
            Console.Error.WriteLine($"error: no row has \"{options.Only}\" in its name; the rows are:\n  {string.Join("\n  ", names)}");
            return 2;
        }

        MachineFacts machine = MachineFacts.Read();
        machine.Print();
        Processors processors = Processors.Choose();
        List<ContestantKind> kinds = Installed(
        [
            new DaemonKind("epoll", options.Daemon, keeper: true),
            new HaproxyKind(splice: false),
            new HaproxyKind(splice: true),
            new NginxKind(),
            new DaemonKind("managed", options.Daemon),
            .. options.Against is null ? [] : Engines.Select(e => new DaemonKind(e, options.Against, OtherBuild)),
        ]);
        DaemonKind[] byKeeper =
        [
            new DaemonKind("epoll", options.Daemon, keeper: true),
            new DaemonKind("epoll", options.Daemon, DaemonKind.WithoutKeeper, keeper: false),
        ];
        processors.PinClient();

        List<Row> rows = [];
        foreach ((Duty duty, string suffix, IReadOnlyList<Workload> workloads) in Groups)
        {
            List<Row> group = [.. workloads.Select(w => new Row(w.Name + suffix, w)).Where(r => options.Includes(r.Name))];

            // An older build may refuse the keys of the inspection.
            bool isForAll = duty is Duty.Relay or Duty.AccessLog;
            List<ContestantKind> present =
                suffix == Bar.ByKeeper ? [.. byKeeper] : isForAll ? kinds : [.. kinds.Where(k => !IsOther(k.Name))];
            RunRows(group, present, processors, options, duty);
            rows.AddRange(group);
        }

        List<IdleResult> idle = [];
        foreach (ContestantKind kind in options.Includes(IdleRow) ? kinds : [])
        {
            Console.WriteLine($"{IdleCrowd.Connections} idle connections: {kind.Name}");
            idle.Add(IdleCrowd.Measure(kind, processors));
        }

        AllocationResult? allocations = options.Includes(AllocationRow) ? Allocations(processors) : null;
        Ratio[] ratios = [.. rows.SelectMany(row => row.Contestants.Where(IsOurs).SelectMany(c => Ratio.Of(row, c)))];
        Report(rows, ratios, idle, allocations);
        ResultFile.Write(
            "compare", machine, options, kinds.ToDictionary(k => k.Name, k => k.Version), rows, new { ratios, idle, allocations });
        return rows.Any(r => r.Contestants.Any(c => !r.Counts(c))) ? 1 : 0;
    }

    private static bool IsOurs(string contestant) =>
        contestant.StartsWith("l4balancer", StringComparison.Ordinal) && !IsOther(contestant)
        && !contestant.EndsWith(DaemonKind.WithoutKeeper, StringComparison.Ordinal);

    private static bool IsOther(string contestant) => contestant.EndsWith(OtherBuild, StringComparison.Ordinal);

    private static List<ContestantKind> Installed(IEnumerable<ContestantKind> wanted)
    {
        List<ContestantKind> installed = [];
        foreach (ContestantKind kind in wanted)
        {
            Console.WriteLine($"  {kind.Name}: {kind.Version ?? "not installed, left out"}");
            if (kind.Version is not null)
            {
                installed.Add(kind);
            }
        }

        return installed;
    }

    private static void RunRows(List<Row> rows, List<ContestantKind> kinds, Processors processors, RunOptions options, Duty duty)
    {
        if (rows.Count > 0)
        {
            Console.WriteLine($"{rows.Count} row{(rows.Count > 1 ? "s" : "")}, {kinds.Count} balancers, bursts of {options.Burst.TotalSeconds} s: {string.Join("; ", rows.Select(r => r.Name))}");
            using Field field = Field.Start(kinds, processors, duty);
            new Rounds(field, options).Run(rows);
        }
    }

    private static AllocationResult Allocations(Processors processors)
    {
        Console.WriteLine("allocations of the event loop");
        return EventLoopAllocations.Measure(processors);
    }

    private static void Report(List<Row> rows, Ratio[] ratios, List<IdleResult> idle, AllocationResult? allocations)
    {
        Console.WriteLine();
        rows.ForEach(RowTable.Print);
        if (idle.Count > 0)
        {
            Verdict.Print(idle);
        }

        if (allocations is not null)
        {
            Verdict.Print(allocations);
        }

        if (ratios.Length > 0)
        {
            Verdict.Print(ratios);
        }
    }
}
