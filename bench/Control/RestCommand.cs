using System.Diagnostics;
using System.Globalization;
using L4Balancer.Bench.Contestants;
using L4Balancer.Bench.Load;
using L4Balancer.Bench.Machine;
using L4Balancer.Bench.Peers;
using L4Balancer.Bench.Reports;

namespace L4Balancer.Bench.Control;

/// <summary>
/// <c>rest</c>: the CPU of a daemon that holds idle connections, with limits, close_rate and max_age switched on and four backends
/// probed by <c>wss</c>. Clients, backends and probed backends are processes of their own.
/// </summary>
internal static class RestCommand
{
    private const double AtMost = 0.01;

    private static readonly string[] Engines = ["epoll", "managed"];

    /// <summary>The compiler has had its time, and what opened the connections has settled.</summary>
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(60);

    private const string Listener = """
        max_connections_per_source = 20000
        connection_rate_per_source = 20000
        deny = ["192.0.2.0/24"]
        """;

    private const string Pool = """
        bounded_load = 1.25
        max_age = "12h"
        slow_start = "30s"
        new_connection_rate = 20000
        on_backend_down = "close"
        half_close_timeout = "10m"
        """;

    public static int Run(RunOptions options)
    {
        MachineFacts machine = MachineFacts.Read();
        machine.Print();
        Processors processors = Processors.Choose();
        var table = new TextTable($"CPU at rest, {IdleCrowd.Connections} idle connections", "of one core", "min .. max", "event loop", "at most", "");
        List<object> figures = [];
        int failed = 0;
        foreach (string engine in Engines.Where(options.Includes))
        {
            var kind = new DaemonKind(engine, options.Daemon, "", Tables, Listener, Pool);
            if (Measure(kind, processors, options) is not (Spread all, Spread loop))
            {
                failed = 1;
                continue;
            }

            string verdict = engine != "epoll" ? "" : all.Median <= AtMost ? "met" : "NOT MET";
            table.Add(kind.Name, Percent(all.Median), all.Range("0.00 %"), Percent(loop.Median), engine == "epoll" ? Percent(AtMost) : "", verdict);
            figures.Add(new { kind.Name, all, loop });
        }

        Console.WriteLine();
        table.Print();
        ResultFile.Write("rest", machine, options, new { }, [], figures);
        return failed;
    }

    private static string Tables => $"""
        [admin]
        socket = ""
        [metrics]
        listen = "127.0.0.1:7500"
        {ProbedBackends.Pool("wss", 11, ProbedBackends.WebSocketPort, 4, "type = \"wss\", interval = \"2s\"")}
        """;

    private static (Spread All, Spread Loop)? Measure(DaemonKind kind, Processors processors, RunOptions options)
    {
        using Process probed = Pinned.Start([.. OwnCommand.Line, "probed"], processors.Client);
        try
        {
            using Field field = Field.Start([kind], processors);
            Contestant contestant = field.Contestants[0];
            using Crowd? crowd = Crowd.Open(contestant.At(PeerRole.Echo), IdleCrowd.Connections, out string? fault);
            if (crowd is null)
            {
                Console.Error.WriteLine($"bench: {kind.Name}: {fault}");
                return null;
            }

            Thread.Sleep(WarmUp);
            List<(double All, double Loop)> rounds = [];
            for (int round = 0; round < options.Rounds; round++)
            {
                (long all, long loop, long start) = (contestant.ProcessorNanoseconds, Loop(contestant), Stopwatch.GetTimestamp());
                Thread.Sleep(options.Burst);
                double time = Stopwatch.GetElapsedTime(start).TotalNanoseconds;
                rounds.Add(((contestant.ProcessorNanoseconds - all) / time, (Loop(contestant) - loop) / time));
                Console.WriteLine($"{kind.Name}, round {round + 1} of {options.Rounds}: {Percent(rounds[^1].All)}");
            }

            return (Spread.Of(rounds.Select(r => r.All)), Spread.Of(rounds.Select(r => r.Loop)));
        }
        finally
        {
            probed.Kill();
            probed.WaitForExit();
        }
    }

    private static long Loop(Contestant contestant) => ThreadTime.Nanoseconds(contestant.ProcessId, "worker");

    private static string Percent(double share) => share.ToString("0.00 %", CultureInfo.InvariantCulture);
}
