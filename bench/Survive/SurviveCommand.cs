using System.Globalization;
using L4Balancer.Bench.Contestants;
using L4Balancer.Bench.Machine;
using L4Balancer.Bench.Reports;
using L4Balancer.Bench.Survive.Peers;

namespace L4Balancer.Bench.Survive;

/// <summary>
/// <c>survive</c>: what upgrades and kill -9 of the daemon cost the connections that it holds. Thousands of connections go through one
/// daemon, a third each with paced messages, paced bulk, and nothing at all; beside them others connect, ask and close. Each byte is
/// checked by its position.
/// </summary>
internal static class SurviveCommand
{
    private const double SlowestPace = 12;

    /// <summary>Where the scene takes less of the machine than this, making it slower would not help.</summary>
    private const double SmallShare = 0.2;

    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan BusySpan = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan ShortBusySpan = TimeSpan.FromSeconds(1);

    public static int Run(SurviveOptions options)
    {
        string program = Path.GetFullPath(options.Daemon ?? Path.Combine(OwnCommand.Repository, "artifacts/publish/l4balancer"));
        string? version = File.Exists(program) ? InstalledVersion.Ask(program, "version") : null;
        if (version is null)
        {
            Console.Error.WriteLine($"bench: {program} is not built: dotnet build -c Release src/L4Balancer, or name one with --daemon");
            return 1;
        }

        MachineFacts machine = MachineFacts.Read();
        machine.Print();
        Console.WriteLine(version);

        // The ledger is memory that several processes see: in a tmpfs, as /run is.
        string below = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        DirectoryInfo folder = Directory.CreateDirectory(Path.Combine(below, $"l4balancer-survive-{Environment.ProcessId}"));
        try
        {
            Reaper.Start();
            return Run(options, program, version, folder.FullName, machine);
        }
        catch (InvalidOperationException e)
        {
            Console.Error.WriteLine($"bench: {e.Message}");
            return 1;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static int Run(SurviveOptions options, string program, string version, string folder, MachineFacts machine)
    {
        using var scene = new Scene(options, folder);
        using var daemon = new SceneDaemon(program, folder, options);
        if (daemon.Start() is string unready)
        {
            throw new InvalidOperationException(unready);
        }

        Console.WriteLine($"opening {3 * options.OfThird} connections");
        if (scene.Open() is string closed)
        {
            throw new InvalidOperationException(closed);
        }

        scene.Start();
        MachineBusy busy = Slow(scene, daemon, options.Busy);
        using var counters = new CounterWatch();
        Thread.Sleep(TimeSpan.FromSeconds(1));
        double splicedBefore = counters.Sum(Spliced);
        var report = new SurviveReport(options, busy) { Before = daemon.Footprint };
        report.Phases.Add(Calm(scene, options.Calm));
        report.Spliced = counters.Sum(Spliced) - splicedBefore;
        report.SplicedOf = counters.Sum("l4balancer_relayed_bytes_total", "pool=\"bulk\"");
        Console.WriteLine($"bulk so far: {report.SplicedOf / 1e6:F0} MB, of which {counters.Sum(Spliced) / 1e6:F0} MB spliced");
        if (options.Upgrades > 0)
        {
            report.Phases.Add(Events("upgrade", options.Upgrades, daemon.Upgrade, scene, daemon, options.Every));
            report.UpgradesCounted = counters.Sum("l4balancer_upgrades_total", "result=\"success\"");
        }

        report.StepsBack = counters.StepsBack;
        if (options.Kills > 0)
        {
            counters.ExpectRestarts();
            (double Adopted, double Reset) recovered = (0, 0);
            report.Phases.Add(Events("kill", options.Kills, Kill, scene, daemon, options.Every));
            report.Recovered = recovered;

            SceneEvent Kill()
            {
                SceneEvent kill = daemon.Kill();

                // Of each process; the next one begins anew.
                Thread.Sleep(TimeSpan.FromMilliseconds(500));
                recovered.Adopted += counters.Sum("l4balancer_recovered_connections_total", "result=\"adopted\"");
                recovered.Reset += counters.Sum("l4balancer_recovered_connections_total", "result=\"reset\"");
                return kill;
            }
        }

        report.After = daemon.Footprint;
        (report.Scrapes, report.ScrapesMissed) = (counters.Scrapes, counters.Missed);
        report.Final = scene.Finish(out VisitCounts visits);
        report.Visits = visits;
        report.EndedByItself = !daemon.IsRunning;
        report.Stopped = daemon.Stop();
        report.Left = daemon.Footprint.Processes;
        report.Read(folder, daemon.Output);
        Console.WriteLine();
        int failed = report.Print();
        var common = new RunOptions(1, options.Calm, null, null, 0, options.Daemon, null);
        ResultFile.Write("survive", machine, common, new { daemon = version }, [], report.Figures());
        return failed;
    }

    private const string Spliced = "l4balancer_spliced_bytes_total";

    // At 1 it is not judged. Other programs may share the machine; only the load of the scene can be made smaller.
    private static MachineBusy Slow(Scene scene, SceneDaemon daemon, double atMost)
    {
        if (atMost >= 1)
        {
            return MachineBusy.Over(ShortBusySpan, [.. scene.Processes, daemon.Main]);
        }

        Thread.Sleep(Settling);
        double pace = 1;
        while (true)
        {
            MachineBusy busy = MachineBusy.Over(BusySpan, [.. scene.Processes, daemon.Main]);
            Console.WriteLine($"the machine is {busy.All:P0} busy, {busy.Own:P0} by the scene, at {pace:F1} times the usual intervals");
            if (busy.All <= atMost || busy.Own <= SmallShare || pace >= SlowestPace)
            {
                return busy;
            }

            pace *= 1.4;
            scene.Pace(pace);
            Thread.Sleep(TimeSpan.FromSeconds(1));
        }
    }

    private static ScenePhase Calm(Scene scene, TimeSpan time)
    {
        var phase = new ScenePhase("calm", [], scene.Count(), scene.CountVisits()) { Begun = Orders.Now };
        Thread.Sleep(time);
        return Ended(phase, scene);
    }

    private static ScenePhase Events(string kind, int count, Func<SceneEvent> make, Scene scene, SceneDaemon daemon, TimeSpan every)
    {
        var phase = new ScenePhase(kind, [], scene.Count(), scene.CountVisits()) { Begun = Orders.Now };
        for (int i = 1; i <= count; i++)
        {
            SceneEvent made = make();
            phase.Events.Add(made);
            Thread.Sleep(every);
            (int lost, int wrong) = (scene.Count().Values.Sum(static c => c.Lost), scene.Count().Values.Sum(static c => c.Wrong));
            VisitCounts visits = scene.CountVisits() - phase.VisitsBefore;
            DaemonFootprint print = daemon.Footprint;
            phase.Footprints.Add(print);
            string fault = made.Fault is null ? "" : ", FAILED: " + made.Fault;
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{kind} {i} of {count}: {made.Took.TotalMilliseconds:F0} ms{fault}; lost so far {lost}, wrong {wrong}, of newcomers " +
                $"{visits.Refused} refused, {visits.Reset} reset, {visits.Closed} closed, {visits.TimedOut} timed out; {print.Processes} processes, " +
                $"{print.Memory / 1e6:F0} MB; {made.Said}"));
            if (!daemon.IsRunning)
            {
                Console.WriteLine($"the daemon is gone: {daemon.Start() ?? "started again"}");
                phase.Deaths++;
            }
        }

        return Ended(phase, scene);
    }

    private static ScenePhase Ended(ScenePhase phase, Scene scene)
    {
        phase.Ended = Orders.Now;
        IReadOnlyDictionary<Third, TalkCounts> counts = scene.Count();
        phase.Lost = Scene.Thirds.ToDictionary(static t => t, t => counts[t] - phase.Before[t]);
        phase.Visits = scene.CountVisits() - phase.VisitsBefore;
        return phase;
    }
}
