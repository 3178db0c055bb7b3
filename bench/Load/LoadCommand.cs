using L4Balancer.Bench.Contestants;
using L4Balancer.Bench.Machine;
using L4Balancer.Bench.Reports;

namespace L4Balancer.Bench.Load;

/// <summary><c>load</c>: the same workloads against the daemon alone, with each of its engines.</summary>
internal static class LoadCommand
{
    public static int Run(RunOptions options)
    {
        MachineFacts machine = MachineFacts.Read();
        machine.Print();
        Processors processors = Processors.Choose();
        ContestantKind[] kinds = [new DaemonKind("epoll", options.Daemon), new DaemonKind("managed", options.Daemon)];
        if (kinds.Any(k => k.Version is null))
        {
            Console.Error.WriteLine("bench: the daemon is not built: dotnet build -c Release src/L4Balancer, or name one with --daemon");
            return 1;
        }

        processors.PinClient();
        Row[] rows = [.. Workload.All.Select(w => new Row(w.Name, w)).Where(r => options.Includes(r.Name))];
        using (Field field = Field.Start(kinds, processors))
        {
            new Rounds(field, options).Run(rows);
        }

        Console.WriteLine();
        foreach (Row row in rows)
        {
            RowTable.Print(row);
        }

        ResultFile.Write("load", machine, options, kinds.ToDictionary(k => k.Name, k => k.Version), rows, new { });
        return rows.Any(r => r.Contestants.Any(c => !r.Counts(c))) ? 1 : 0;
    }
}
