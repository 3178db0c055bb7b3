using System.Diagnostics;
using System.Globalization;
using L4Balancer.Bench.Contestants;
using L4Balancer.Bench.Load;
using L4Balancer.Bench.Machine;
using L4Balancer.Bench.Peers;
using L4Balancer.Bench.Reports;

namespace L4Balancer.Bench.Control;

/// <summary>
/// <c>control</c>: what a busy control plane costs the data path. In pairs: a daemon whose control plane is kept busy, and a quiet one
/// beside a process that burns the same CPU on the same processor. Whoever's turn it is not is stopped.
/// </summary>
internal static class ControlCommand
{
    private const int IdleConnections = 5000;
    private const int Talkers = 64;
    private const double AtMost = 1.5;

    private static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(10);
    private static readonly Workload Messages = Workload.All.Single(w => w.Name == $"128-byte ping-pong, {Talkers} connections");

    public static int Run(RunOptions options)
    {
        MachineFacts machine = MachineFacts.Read();
        machine.Print();
        Processors processors = Processors.Choose();
        int failed = 0;
        foreach (BusyScene scene in BusyScene.All.Where(s => options.Includes(s.Row)))
        {
            failed |= Run(scene, options, machine, processors);
        }

        return failed;
    }

    private static int Run(BusyScene scene, RunOptions options, MachineFacts machine, Processors processors)
    {
        Console.WriteLine(scene.Row);
        DaemonKind busyKind = new("epoll", options.Daemon, ", " + scene.Row, scene.Tables);
        DaemonKind quietKind = new("epoll", options.Daemon, ", quiet");
        if (busyKind.Version is null)
        {
            Console.Error.WriteLine("bench: the daemon is not built: dotnet build -c Release src/L4Balancer, or name one with --daemon");
            return 1;
        }

        processors.PinClient();
        using Field field = Field.Start([busyKind, quietKind], processors);
        (Contestant busy, Contestant quiet) = (field.Contestants[0], field.Contestants[1]);
        using Crowd? ofBusy = Crowd.Open(busy.At(PeerRole.Echo), IdleConnections, out string? fault);
        using Crowd? ofQuiet = fault is null ? Crowd.Open(quiet.At(PeerRole.Echo), IdleConnections, out fault) : null;
        if (fault is not null)
        {
            Console.Error.WriteLine($"bench: {fault}");
            return 1;
        }

        using Process outside = Pinned.Start([.. OwnCommand.Line, .. scene.Outside], processors.Client);
        try
        {
            return Measure(options, machine, processors, field, busyKind, quietKind, outside);
        }
        finally
        {
            StopSignals.Continue(busy.ProcessId, outside.Id);
            outside.Kill();
            outside.WaitForExit();
        }
    }

    private static int Measure(
        RunOptions options, MachineFacts machine, Processors processors, Field field, DaemonKind busyKind, DaemonKind quietKind, Process outside)
    {
        (Contestant busy, Contestant quiet) = (field.Contestants[0], field.Contestants[1]);
        double share = ShareOfControl(field, busy);
        Console.WriteLine($"the busy control plane takes {share:P1} of a processor");
        using Process burner = Pinned.Start(
            [.. OwnCommand.Line, "burn", share.ToString("0.0000", CultureInfo.InvariantCulture)], processors.Balancer);
        try
        {
            Messages.Run(field.Towards(quiet), new BurstLimit(WarmUp / 2));
            StopSignals.Pause(burner.Id);
            var row = new Row(Messages.Name, Messages);
            row.Enter(busy.Name);
            row.Enter(quiet.Name);
            var order = new Random(options.Seed);
            for (int round = 1; round <= options.Rounds; round++)
            {
                bool busyFirst = order.Next(2) == 0;
                Turn(busyFirst);
                Turn(!busyFirst);
                Console.WriteLine(
                    $"pair {round} of {options.Rounds}: p99.9 {row[busy.Name][^1].Latency!.Percentile(0.999):F0} us busy, " +
                    $"{row[quiet.Name][^1].Latency!.Percentile(0.999):F0} us quiet");
            }

            return Report(options, machine, row, busyKind, quietKind, share);

            void Turn(bool ofBusy)
            {
                int[] others = ofBusy ? [quiet.ProcessId] : [busy.ProcessId, outside.Id];
                int[] own = ofBusy ? [busy.ProcessId, outside.Id] : [quiet.ProcessId, burner.Id];
                StopSignals.Pause(others);
                StopSignals.Continue(own);
                Thread.Sleep(Settling);
                Contestant contestant = ofBusy ? busy : quiet;
                row.Add(contestant.Name, Messages.Run(field.Towards(contestant), new BurstLimit(options.Burst)));
                StopSignals.Pause(burner.Id);
            }
        }
        finally
        {
            StopSignals.Continue(busy.ProcessId, quiet.ProcessId, burner.Id);
            burner.Kill();
            burner.WaitForExit();
        }
    }

    // While messages are under way, after the compiler has had its time: everything that is not the event loop's.
    private static double ShareOfControl(Field field, Contestant busy)
    {
        BurstResult first = Messages.Run(field.Towards(busy), new BurstLimit(WarmUp));
        if (first.Fault is string fault)
        {
            throw new InvalidOperationException($"{busy.Name}: {fault}");
        }

        long before = ControlTime();
        long start = Stopwatch.GetTimestamp();
        Messages.Run(field.Towards(busy), new BurstLimit(WarmUp / 2));
        return (ControlTime() - before) / Stopwatch.GetElapsedTime(start).TotalNanoseconds;

        long ControlTime() => busy.ProcessorNanoseconds - ThreadTime.Nanoseconds(busy.ProcessId, "worker");
    }

    private static int Report(RunOptions options, MachineFacts machine, Row row, DaemonKind busy, DaemonKind quiet, double share)
    {
        Spread p999 = Ratio(0.999);
        var table = new TextTable($"{busy.Name} to quiet", "median", "min .. max", "at most", "");
        foreach ((string name, double percentile) in new[] { ("p50", 0.5), ("p99", 0.99) })
        {
            table.Add(name, Number(Ratio(percentile).Median), Ratio(percentile).Range("0.00"), "", "");
        }

        table.Add("p99.9", Number(p999.Median), p999.Range("0.00"), Number(AtMost), p999.Median <= AtMost ? "met" : "NOT MET");
        Console.WriteLine();
        RowTable.Print(row);
        table.Print();
        ResultFile.Write(
            "control", machine, options, new Dictionary<string, string?> { [busy.Name] = busy.Version, [quiet.Name] = quiet.Version }, [row],
            new { share, p999 });
        return row.Contestants.Any(c => !row.Counts(c)) ? 1 : 0;

        Spread Ratio(double percentile) => Spread.Of(
            row[busy.Name].Zip(row[quiet.Name], (b, q) => b.Latency!.Percentile(percentile) / q.Latency!.Percentile(percentile)));
    }

    private static string Number(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);
}
