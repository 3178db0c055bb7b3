using L4Balancer.Bench.Load;
using L4Balancer.Bench.Machine;
using L4Balancer.Bench.Reports;

namespace L4Balancer.Bench.Packets;

/// <summary><c>packet</c>: packet listeners beside the relay, proxies and the kernel's own translation; what a packet costs; and a flood of SYNs.</summary>
internal static class PacketCommand
{
    private const string FloodRow = "flood of SYNs";
    private const string ProgramRow = "test run";
    private const int FloodRounds = 3;

    private static readonly TimeSpan RestTime = TimeSpan.FromSeconds(3);
    private static readonly BurstLimit WarmUp = new(TimeSpan.FromMilliseconds(300));

    private static readonly Workload[] Workloads = [Workload.ToClientBy8, Workload.ToBackendBy8, Workload.MessagesAt64];

    public static int Run(RunOptions options)
    {
        string[] names = [.. Workloads.Select(static w => w.Name), FloodRow, ProgramRow];
        if (!names.Any(options.Includes))
        {
            Console.Error.WriteLine($"error: no row has \"{options.Only}\" in its name; the rows are:\n  {string.Join("\n  ", names)}");
            return 2;
        }

        MachineFacts machine = MachineFacts.Read();
        machine.Print();
        IReadOnlyList<ProgramCost> programs = options.Includes(ProgramRow) ? ProgramRuns.Measure() : [];
        Row[] rows = [.. Workloads.Where(w => options.Includes(w.Name)).Select(static w => new Row(w.Name, w))];
        bool floods = options.Includes(FloodRow);
        if (rows.Length == 0 && !floods)
        {
            PacketReport.Print(programs);
            return 0;
        }

        using NetworkSwitch? network = NetworkSwitch.TryCreate(options.Congestion, out string? fault);
        if (network is null)
        {
            Console.Error.WriteLine($"bench: packet: {fault}");
            return 2;
        }

        Processors chosen = Processors.Choose();
        Processors processors = chosen.Server == chosen.Client ? chosen with { Server = chosen.Balancer } : chosen;
        Dictionary<string, string?> versions = [];
        using PacketField field = PacketField.Start(network, options, processors, versions);
        Console.WriteLine($"links with \"ethtool -K {NetworkSwitch.Offloads}\" at both ends, for all alike; congestion control {field.Client.Shell("cat /proc/sys/net/ipv4/tcp_congestion_control").Trim()}");
        processors.PinClient();
        List<FloodResult> flood = [];
        NetworkHost.In(field.Client.Holder, () =>
        {
            Burst(field, rows, options);
            flood = floods ? SynFloods.Measure(field, Math.Min(options.Rounds, FloodRounds), options.Seed) : flood;
        });
        List<string> remarks = [.. field.Remarks, field.Time.Method];
        Console.WriteLine();
        remarks.ForEach(static r => Console.WriteLine($"  {r}"));
        Console.WriteLine();
        foreach (Row row in rows)
        {
            PacketReport.Print(row);
        }

        PacketReport.Print(programs);
        PacketReport.Print(flood);
        ResultFile.Write("packet", machine, options, versions, rows, new
        {
            remarks,
            offloads = NetworkSwitch.Offloads,
            own = rows.SelectMany(PacketReport.Shares),
            programs,
            flood,
        });
        return rows.Any(static r => r.Contestants.Any(c => !r.Counts(c))) ? 1 : 0;
    }

    // As in Rounds, but that a burst is charged with what the whole machine does.
    private static void Burst(PacketField field, Row[] rows, RunOptions options)
    {
        string[] names = [.. field.Names];
        foreach (Row row in rows)
        {
            foreach (string name in names)
            {
                row.Enter(name);
                BurstResult first = row.Workload.Run(field.Towards(name), WarmUp);
                Console.Write(first.Fault is null ? "." : $" {name}: {first.Fault} ");
            }
        }

        field.Time.MeasureRest(RestTime);
        Console.WriteLine($" warm; {field.Time.Method}");
        var order = new Random(options.Seed);
        var limit = new BurstLimit(options.Burst);
        for (int round = 1; round <= options.Rounds; round++)
        {
            Console.Write($"round {round} of {options.Rounds}:");
            foreach (Row row in rows)
            {
                order.Shuffle(names);
                foreach (string name in names)
                {
                    BurstResult result = row.Workload.Run(field.Towards(name), limit);
                    row.Add(name, result);
                    Console.Write(result.Fault is null ? "." : "!");
                }
            }

            Console.WriteLine();
        }
    }
}
