using System.Globalization;

namespace L4Balancer.Fuzz.Runs;

/// <summary>AFL++ (afl-fuzz(8)). The program answers its fork server protocol and runs all inputs in one process.</summary>
internal sealed class AflFuzzer : Fuzzer
{
    // The first input loads and compiles the code; afterwards one takes microseconds.
    private const int MillisecondsEach = 5000;

    private static readonly Dictionary<string, string> Settings = new()
    {
        // The program is the runtime's host, which is not instrumented itself.
        ["AFL_SKIP_BIN_CHECK"] = "1",
        ["AFL_NO_UI"] = "1",
        ["AFL_NO_AFFINITY"] = "1",
        ["AFL_SKIP_CPUFREQ"] = "1",

        // Findings are reported over the pipe, not by a signal that a core dump handler could delay.
        ["AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES"] = "1",
        ["AFL_FORKSRV_INIT_TMOUT"] = "30000",
        ["AFL_MAP_SIZE"] = "65536",
    };

    public override string Name => "afl";

    public override string? Installed { get; } = OnPath("afl-fuzz");

    public override FuzzReport Run(FuzzJob job)
    {
        string log = Path.Combine(job.Output, "afl-fuzz.log");
        int code = Start(
            job,
            Installed!,
            [
                "-i", job.Seeds, "-o", job.Output, "-x", job.Dictionary, "-m", "none", "-t", $"{MillisecondsEach}+", "-G", Text(job.Longest),
                "-V", Text((int)job.Time.TotalSeconds), "--", Host, job.Program,
            ],
            Settings,
            log);
        string folder = Path.Combine(job.Output, "default");
        string statistics = Path.Combine(folder, "fuzzer_stats");
        if (code != 0 || !File.Exists(statistics))
        {
            return FuzzReport.Failed($"afl-fuzz ended with {code}:\n{EndOf(log)}");
        }

        Dictionary<string, string> values = File.ReadLines(statistics).Select(l => l.Split(':', 2)).Where(p => p.Length == 2)
            .ToDictionary(p => p[0].Trim(), p => p[1].Trim());
        return new FuzzReport(
            null,
            long.Parse(values["execs_done"], CultureInfo.InvariantCulture),
            double.Parse(values["execs_per_sec"], CultureInfo.InvariantCulture),
            [.. new[] { "crashes", "hangs" }.Select(kind => Path.Combine(folder, kind)).Where(Directory.Exists).SelectMany(f => Directory.GetFiles(f, "id:*"))]);
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
