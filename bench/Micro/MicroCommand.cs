using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;

namespace L4Balancer.Bench.Micro;

/// <summary><c>micro</c>: BenchmarkDotNet over this assembly.</summary>
internal static class MicroCommand
{
    /// <param name="arguments">Of BenchmarkDotNet; none: all benchmarks.</param>
    public static int Run(string[] arguments)
    {
        // The harness builds a project of its own for each run; its two minutes for that are short for a small machine.
        IConfig config = ManualConfig.Create(DefaultConfig.Instance)
            .WithBuildTimeout(TimeSpan.FromMinutes(10))
            .AddJob(Job.ShortRun);
        int failed = BenchmarkSwitcher.FromAssembly(typeof(MicroCommand).Assembly)
            .Run(arguments.Length == 0 ? ["--filter", "*"] : arguments, config)
            .Count(s => s.HasCriticalValidationErrors || s.Reports.Any(r => !r.Success));
        return failed == 0 ? 0 : 1;
    }
}
