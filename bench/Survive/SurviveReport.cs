using System.Globalization;
using L4Balancer.Bench.Reports;
using L4Balancer.Bench.Survive.Peers;

namespace L4Balancer.Bench.Survive;

/// <summary>What a run comes to: tables, bars and the figures for the file.</summary>
internal sealed class SurviveReport(SurviveOptions options, MachineBusy busy)
{
    /// <summary>What may come and go: connections of scrapes and of the admin API, pipes in the pool.</summary>
    private const int SpareDescriptors = 600;

    private const long SpareMemory = 32L << 20;

    private const int MostNamed = 30;

    private readonly List<(string What, string Value, string AtMost, bool Met)> _bars = [];
    private AccessLines? _lines;
    private int _missingBytes;
    private int _skipped;

    public List<ScenePhase> Phases { get; } = [];

    public required DaemonFootprint Before { get; init; }

    public DaemonFootprint? After { get; set; }

    /// <summary>Bytes that the daemon spliced in the calm phase.</summary>
    public double Spliced { get; set; }

    /// <summary>Bytes of bulk up to its end.</summary>
    public double SplicedOf { get; set; }

    public double UpgradesCounted { get; set; }

    public (double Adopted, double Reset) Recovered { get; set; }

    public IReadOnlyList<string> StepsBack { get; set; } = [];

    public int Scrapes { get; set; }

    public int ScrapesMissed { get; set; }

    public IReadOnlyDictionary<Third, TalkCounts> Final { get; set; } = new Dictionary<Third, TalkCounts>();

    public VisitCounts Visits { get; set; }

    public bool EndedByItself { get; set; }

    public bool Stopped { get; set; }

    /// <summary>Processes of the daemon after its stop.</summary>
    public int Left { get; set; }

    /// <summary>Takes in what the processes have written.</summary>
    public void Read(string folder, string log)
    {
        Sample[] samples = Latencies.Read(Path.Combine(folder, $"latencies-{Third.Messages}"));
        Phases.ForEach(p => p.Measure(samples));
        SceneEvent[] events = [.. Phases.SelectMany(static p => p.Events)];
        _lines = AccessLines.Read(log, 3 * options.OfThird, Visit.ReadAll(Path.Combine(folder, "visits")), events);
        foreach (Third third in Scene.Thirds)
        {
            Dictionary<ulong, TalkRow> backends = TalkTable.Read(Path.Combine(folder, $"backends-{third}"));
            foreach (TalkRow client in TalkTable.Read(Path.Combine(folder, $"clients-{third}")).Values)
            {
                TalkRow backend = backends[client.Id];
                _skipped += client.Skipped + backend.Skipped;
                bool isWhole = client.Sent == backend.Received && backend.Sent == client.Received && backend.WrongAt < 0;
                _missingBytes += client.Ending == Ending.Finished && !isWhole ? 1 : 0;
            }
        }
    }

    /// <returns>1 if a bar is not met.</returns>
    public int Print()
    {
        PrintLosses();
        PrintLatencies();
        PrintEvents();
        Judge();
        var table = new TextTable("bar", "value", "at most", "");
        foreach ((string what, string value, string atMost, bool met) in _bars)
        {
            table.Add(what, value, atMost, met ? "met" : "NOT MET");
        }

        table.Print();
        foreach (string step in StepsBack.Take(10))
        {
            Console.WriteLine($"  stepped back: {step}");
        }

        return _bars.TrueForAll(static b => b.Met) ? 0 : 1;
    }

    public object Figures() => new
    {
        options = new
        {
            options.Connections,
            options.Upgrades,
            options.Kills,
            options.Rate,
            workers = options.WorkersInForce,
            options.Keeper,
            everyMilliseconds = options.Every.TotalMilliseconds,
        },
        busy,
        phases = Phases.Select(static p => new
        {
            p.Kind,
            seconds = (p.Ended - p.Begun) / 1e9,
            lost = p.Lost.ToDictionary(static l => $"{l.Key}", static l => l.Value),
            p.Visits,
            p.All,
            p.Windows,
            p.Deaths,
            eventMilliseconds = p.Events.Select(static e => Math.Round(e.Took.TotalMilliseconds, 1)),
            faults = p.Events.Select(static e => e.Fault).Where(static f => f is not null),
            p.Footprints,
            p.Slowest,
            p.SlowestLater,
            said = p.Events.Select(static e => e.Said),
        }),
        before = Before,
        after = After,
        Spliced,
        SplicedOf,
        UpgradesCounted,
        recoveredAdopted = Recovered.Adopted,
        recoveredReset = Recovered.Reset,
        StepsBack,
        Scrapes,
        ScrapesMissed,
        final = Final.ToDictionary(static l => $"{l.Key}", static l => l.Value),
        Visits,
        lines = _lines,
        skipped = _skipped,
        bars = _bars.Select(static b => new { b.What, b.Value, b.AtMost, b.Met }),
    };

    private void PrintLosses()
    {
        var table = new TextTable("lost connections", "third", "of", "FIN", "reset", "wrong bytes");
        foreach (ScenePhase phase in Phases)
        {
            foreach ((Third third, TalkCounts lost) in phase.Lost)
            {
                table.Add(phase.Kind, $"{third}", Text(phase.Before[third].Living), Text(lost.Fin), Text(lost.Reset), Text(lost.Wrong));
            }
        }

        foreach ((Third third, TalkCounts counts) in Final)
        {
            string wrong = $"{Text(counts.Wrong)}; silent {counts.Silent}";
            table.Add("at the end", $"{third}", Text(options.OfThird), Text(counts.Fin), Text(counts.Reset), wrong);
        }

        table.Print();
        var visits = new TextTable("newcomers", "served", "refused", "reset", "closed", "timed out", "wrong");
        foreach (ScenePhase phase in Phases)
        {
            VisitCounts v = phase.Visits;
            visits.Add(phase.Kind, Text(v.Served), Text(v.Refused), Text(v.Reset), Text(v.Closed), Text(v.TimedOut), Text(v.Wrong));
        }

        visits.Print();
    }

    private void PrintLatencies()
    {
        var table = new TextTable("messages, ms", "count", "p50", "p99", "p99.9", "longest");
        foreach (ScenePhase phase in Phases)
        {
            Add(phase.Kind, phase.All);
            if (phase.Events.Count > 0)
            {
                Add($"{phase.Kind}, during the events", phase.Windows);
            }
        }

        table.Print();
        foreach (ScenePhase phase in Phases.Where(static p => p.Slowest.Count > 0))
        {
            Console.WriteLine($"  slowest message of each {phase.Kind}, ms: {Describe(phase.Slowest)}");
            Console.WriteLine($"  and until the next, ms: {Describe(phase.SlowestLater)}");
        }

        Console.WriteLine();

        void Add(string name, Percentiles p) => table.Add(
            name, p.Messages.ToString(CultureInfo.InvariantCulture), Text(p.P50), Text(p.P99), Text(p.P999), Text(p.Longest));
    }

    private void PrintEvents()
    {
        var table = new TextTable("events", "count", "failed", "median ms", "min .. max");
        foreach (ScenePhase phase in Phases.Where(static p => p.Events.Count > 0))
        {
            Spread spread = Spread.Of(phase.Events.Select(static e => e.Took.TotalMilliseconds));
            table.Add(phase.Kind, Text(phase.Events.Count), Text(phase.Failed), Text(spread.Median), spread.Range("0"));
        }

        table.Print();
        Console.WriteLine($"  daemon before: {Describe(Before)}; after: {(After is null ? "" : Describe(After))}");
        Console.WriteLine(
            $"  upgrades_total {UpgradesCounted}; recovered: adopted {Recovered.Adopted}, reset {Recovered.Reset}; {Scrapes} scrapes, " +
            $"{ScrapesMissed} without an answer; access log: {_lines!.Lines} lines of {_lines.Expected}, {_lines.Missing} missing, " +
            $"the oldest ended {_lines.OldestMissing:F0} ms before a kill; " +
            $"{_skipped} messages or chunks skipped since the one before was under way");
        foreach (string visit in _lines.FarFromKills.Take(MostNamed))
        {
            Console.WriteLine($"  without an access line: {visit}");
        }

        Console.WriteLine();
    }

    private void Judge()
    {
        Bar("machine busy before, %", 100 * busy.All, 100 * options.Busy);
        _bars.Add(("bulk was spliced in the calm phase, MB at least 1", Text(Spliced / 1e6), "", Spliced > 1e6));
        foreach (ScenePhase phase in Phases)
        {
            bool kills = phase.Kind == "kill";
            if (phase.Events.Count > 0)
            {
                Bar($"{phase.Kind}: failed", phase.Failed + phase.Deaths, 0);
            }

            Bar($"{phase.Kind}: lost connections", phase.LostInAll, kills ? options.WorkersInForce * options.Kills : 0);
            Bar($"{phase.Kind}: wrong bytes", phase.Wrong + phase.Visits.Wrong, 0);
            Bar($"{phase.Kind}: newcomers refused", phase.Visits.Refused, 0);
            if (kills)
            {
                Bar("kill: quiet connections lost", phase.Lost[Third.Quiet].Lost, 0);
                Bar("kill: resets not counted by the daemon", Math.Max(0, phase.LostInAll - Recovered.Reset), 0);
            }
            else
            {
                Bar($"{phase.Kind}: newcomers not served", phase.Visits.NotServed, 0);
            }

            if (phase.Kind == "upgrade" && options.Standstill > 0)
            {
                Bar("upgrade: p99.9 of messages during it, ms", phase.Windows.P999, options.Standstill);
            }
        }

        int lost = Phases.Sum(static p => p.LostInAll);
        Bar("lost or silent at the last question, beside those", Final.Values.Sum(static c => c.Lost) - lost, 0);
        Bar("connections with wrong bytes, in all", Final.Values.Sum(static c => c.Wrong) + Visits.Wrong, 0);
        Bar("connections with bytes that did not arrive", _missingBytes, 0);
        Bar("counters that stepped back over upgrades", StepsBack.Count, 0);
        Bar("scrapes without an answer, without kills", options.Kills > 0 ? 0 : ScrapesMissed, 0);
        Bar("ids with two access lines", _lines!.Doubled, 0);
        Bar("ended connections without an access line", options.Kills > 0 ? _lines.FarFromKills.Count : _lines.Missing, 0);
        Bar("processes of the daemon more than before", After!.Processes - Before.Processes, 0);
        Bar("descriptors more than before", After.Descriptors - Before.Descriptors, SpareDescriptors);
        Bar("memory more than before, MB", (After.Memory - Before.Memory) / 1e6, SpareMemory / 1e6);
        Bar("processes after the stop", Left + (Stopped ? 0 : 1) + (EndedByItself ? 1 : 0), 0);
    }

    private void Bar(string what, double value, double atMost) => _bars.Add((what, Text(value), Text(atMost), value <= atMost));

    private static string Describe(IEnumerable<SlowMessage> messages) =>
        string.Join("; ", messages.Select(static m => $"{Text(m.Took)} sent after {Text(m.After)}"));

    private static string Describe(DaemonFootprint print) => string.Create(
        CultureInfo.InvariantCulture, $"{print.Processes} processes, {print.Descriptors} descriptors, {print.Memory / 1e6:F1} MB (PSS)");

    private static string Text(double number) => number.ToString("0.##", CultureInfo.InvariantCulture);
}
