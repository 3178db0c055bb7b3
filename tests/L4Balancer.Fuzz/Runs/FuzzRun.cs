using System.Globalization;
using System.Text;
using L4Balancer.Fuzz.Targets;

namespace L4Balancer.Fuzz.Runs;

/// <summary>Runs a fuzzer on one target after the other, in <c>artifacts/fuzz</c>, and keeps its findings as cases.</summary>
internal static class FuzzRun
{
    /// <summary>The product, and the library that parses TOML.</summary>
    private static readonly string[] Instrumented = ["L4Balancer.Core.dll", "L4Balancer.Engine.dll", "l4balancer.dll", "Tomlyn.dll"];

    /// <summary>An input is reported as too slow only if it takes this long by itself: a busy machine makes a fuzzer see hangs.</summary>
    private static readonly TimeSpan TooLong = TimeSpan.FromSeconds(2);

    /// <returns>The exit code: 0 without a finding, 1 with one, 2 if a fuzzer could not run.</returns>
    public static int Run(FuzzOptions options)
    {
        if (Fuzzer.Choose(options.Driver, out string missing) is not { } fuzzer)
        {
            Console.Error.WriteLine(missing);
            return 2;
        }

        string work = Path.Combine(CaseFolder.Repository, "artifacts", "fuzz");
        string program = Instrument(Empty(Path.Combine(work, "bin")));
        Console.WriteLine($"{fuzzer.Name} ({fuzzer.Installed}), {options.Time.TotalSeconds} s for each target");
        int code = 0;
        foreach (FuzzTarget target in options.Targets)
        {
            code = Math.Max(code, Run(fuzzer, target, program, Path.Combine(work, target.Name), options.Time));
        }

        return code;
    }

    private static int Run(Fuzzer fuzzer, FuzzTarget target, string program, string work, TimeSpan time)
    {
        string seeds = Empty(Path.Combine(work, "seeds"));
        int count = 0;
        foreach (byte[] seed in target.Seeds().Concat(CaseFolder.Of(target).Select(File.ReadAllBytes)).Where(s => s.Length > 0 && s.Length <= target.Longest))
        {
            File.WriteAllBytes(Path.Combine(seeds, $"{count++:d5}"), seed);
        }

        string dictionary = Path.Combine(work, "dictionary");
        File.WriteAllLines(dictionary, target.Fragments.Where(f => f.Length <= 64).Select(Entry));
        var job = new FuzzJob(target.Name, program, seeds, dictionary, Empty(Path.Combine(work, fuzzer.Name)), target.Longest, time);
        FuzzReport report = fuzzer.Run(job);
        if (report.Fault is not null)
        {
            Console.Error.WriteLine($"{target.Name}: {report.Fault}");
            return 2;
        }

        // Of all inputs with the same fault the shortest is kept.
        (string Fault, byte[] Bytes)[] findings =
        [
            .. report.Suspects.Select(File.ReadAllBytes).Select(bytes => (Fault: FaultOf(target, bytes), Bytes: bytes)).Where(f => f.Fault is not null)
                .GroupBy(f => f.Fault!).Select(same => (same.Key, same.MinBy(f => f.Bytes.Length).Bytes)),
        ];
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{target.Name,-12} {count,5} seeds {report.Executions,11:N0} executions {report.PerSecond,9:N0} a second {findings.Length} findings, {report.Suspects.Count} suspects"));
        foreach ((string fault, byte[] bytes) in findings)
        {
            Console.WriteLine($"  {Path.GetRelativePath(CaseFolder.Repository, CaseFolder.Add(target, bytes))}: {fault}");
        }

        return findings.Length > 0 ? 1 : 0;
    }

    /// <summary>Repeats a suspect without the fuzzer.</summary>
    /// <returns>Null if it is answered, and in time.</returns>
    private static string? FaultOf(FuzzTarget target, byte[] bytes)
    {
        TimeSpan start = Environment.CpuUsage.TotalTime;
        try
        {
            target.Run(bytes);
        }
        catch (Exception e)
        {
            return e.ToString();
        }

        TimeSpan took = Environment.CpuUsage.TotalTime - start;
        return took > TooLong ? string.Create(CultureInfo.InvariantCulture, $"takes more than {TooLong.TotalSeconds} s") : null;
    }

    /// <summary>Copies this program, and makes its copy of the product count the branches that it takes.</summary>
    private static string Instrument(string folder)
    {
        foreach (string path in Directory.GetFiles(AppContext.BaseDirectory))
        {
            File.Copy(path, Path.Combine(folder, Path.GetFileName(path)));
        }

        foreach (string name in Instrumented)
        {
            SharpFuzz.Fuzzer.Instrument(Path.Combine(folder, name), static _ => true, SharpFuzz.Options.Value);
        }

        return Path.Combine(folder, "L4Balancer.Fuzz.dll");
    }

    private static string Empty(string folder)
    {
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        return Directory.CreateDirectory(folder).FullName;
    }

    // Both fuzzers read this form; every byte may be written as \xHH.
    private static string Entry(byte[] fragment, int number) =>
        fragment.Aggregate(new StringBuilder($"f{number}=\""), static (text, value) => text.Append(CultureInfo.InvariantCulture, $"\\x{value:X2}")).Append('"').ToString();
}
