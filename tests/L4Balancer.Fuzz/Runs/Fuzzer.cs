using System.Diagnostics;

namespace L4Balancer.Fuzz.Runs;

/// <summary>What one target is fuzzed with.</summary>
/// <param name="Program">The instrumented program, as an assembly.</param>
/// <param name="Seeds">A folder of inputs to begin with.</param>
/// <param name="Dictionary">A file of parts of inputs.</param>
/// <param name="Output">A folder of its own, which is empty.</param>
internal sealed record FuzzJob(string Target, string Program, string Seeds, string Dictionary, string Output, int Longest, TimeSpan Time);

/// <summary>What a fuzzer did.</summary>
/// <param name="Fault">Why it did not run; null if it did.</param>
/// <param name="Suspects">Files with inputs that ended in an exception, or took too long.</param>
internal sealed record FuzzReport(string? Fault, long Executions, double PerSecond, IReadOnlyList<string> Suspects)
{
    public static FuzzReport Failed(string fault) => new(fault, 0, 0, []);
}

/// <summary>A program that makes up inputs by what code the ones before have reached.</summary>
internal abstract class Fuzzer
{
    /// <summary>As in <c>make fuzz DRIVER=</c>.</summary>
    public abstract string Name { get; }

    /// <summary>The executable; null where it is not installed.</summary>
    public abstract string? Installed { get; }

    public abstract FuzzReport Run(FuzzJob job);

    /// <param name="name">The one to take; null: the first that is installed.</param>
    /// <param name="missing">What to install, if null is returned.</param>
    public static Fuzzer? Choose(string? name, out string missing)
    {
        Fuzzer[] all = [new LibFuzzer(), new AflFuzzer()];
        missing = "no fuzzer is installed: install AFL++ (package afl++ of Debian and Ubuntu), or put the driver libfuzzer-dotnet "
            + "(https://github.com/Metalnem/libfuzzer-dotnet) on the PATH";
        return all.FirstOrDefault(f => (name is null || f.Name == name) && f.Installed is not null);
    }

    protected static string? OnPath(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
        .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    /// <summary>The host of the runtime, which runs this process too.</summary>
    protected static string Host { get; } = Environment.ProcessPath!;

    /// <summary>Runs it to its end; what it prints goes to a file.</summary>
    protected static int Start(FuzzJob job, string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment, string log)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment[FuzzProgram.Variable] = job.Target;
        foreach ((string name, string value) in environment)
        {
            start.Environment[name] = value;
        }

        using var file = TextWriter.Synchronized(File.CreateText(log));
        using var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, line) => file.WriteLine(line.Data);
        process.ErrorDataReceived += (_, line) => file.WriteLine(line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        process.WaitForExit();
        return process.ExitCode;
    }

    protected static string EndOf(string log) => string.Join('\n', File.ReadLines(log).Where(l => l.Length > 0).TakeLast(12));
}
