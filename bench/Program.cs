using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Running;

// The harness builds a project of its own for each run; its two minutes for that are short for a small machine.
IConfig config = ManualConfig.Create(DefaultConfig.Instance).WithBuildTimeout(TimeSpan.FromMinutes(10));

// Without arguments everything runs: that is what `dotnet run -c Release` is for. --help lists what can be chosen.
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args.Length == 0 ? ["--filter", "*"] : args, config);
