using System.Globalization;

namespace L4Balancer.Fuzz.Runs;

/// <summary>libFuzzer by the driver libfuzzer-dotnet. It ends with its first finding.</summary>
internal sealed class LibFuzzer : Fuzzer
{
    public override string Name => "libfuzzer";

    public override string? Installed { get; } = OnPath("libfuzzer-dotnet");

    public override FuzzReport Run(FuzzJob job)
    {
        string log = Path.Combine(job.Output, "libfuzzer.log");
        string found = Directory.CreateDirectory(Path.Combine(job.Output, "found")).FullName;
        string corpus = Directory.CreateDirectory(Path.Combine(job.Output, "corpus")).FullName;
        int code = Start(
            job,
            Installed!,
            [
                $"--target_path={Host}", $"--target_arg={job.Program}", $"-max_total_time={Text((int)job.Time.TotalSeconds)}",
                $"-max_len={Text(job.Longest)}", $"-dict={job.Dictionary}", $"-artifact_prefix={found}/", "-timeout=10", "-print_final_stats=1", corpus, job.Seeds,
            ],
            new Dictionary<string, string>(),
            log);
        string[] suspects = Directory.GetFiles(found);
        if (code != 0 && suspects.Length == 0)
        {
            return FuzzReport.Failed($"libfuzzer-dotnet ended with {code}:\n{EndOf(log)}");
        }

        return new FuzzReport(null, (long)Value(log, "number_of_executed_units"), Value(log, "average_exec_per_sec"), suspects);
    }

    // stat::average_exec_per_sec:     1234
    private static double Value(string log, string name) => File.ReadLines(log).Where(l => l.StartsWith($"stat::{name}:", StringComparison.Ordinal))
        .Select(l => double.Parse(l[(l.LastIndexOf(':') + 1)..], CultureInfo.InvariantCulture)).FirstOrDefault();

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
