using BenchmarkDotNet.Running;

// Without arguments everything runs: that is what `dotnet run -c Release` is for. --help lists what can be chosen.
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args.Length == 0 ? ["--filter", "*"] : args);
