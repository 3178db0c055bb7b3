using System.Diagnostics;
using L4Balancer.Fuzz.Runs;
using L4Balancer.Fuzz.Targets;

namespace L4Balancer.Fuzz;

/// <summary>
/// The entry point of this assembly. The test runner loads the assembly and never comes here; <c>make fuzz</c> starts it as a program, and the
/// fuzzer starts a copy of it whose assemblies are instrumented.
/// </summary>
internal static class FuzzProgram
{
    /// <summary>Names the target under a fuzzer; a variable, because the drivers differ in the arguments that they pass on.</summary>
    public const string Variable = "L4BALANCER_FUZZ_TARGET";

    public static int Main(string[] args)
    {
        if (args.Length == 0 && Environment.GetEnvironmentVariable(Variable) is { } name)
        {
            UnderFuzzer(FuzzTarget.All.Single(t => t.Name == name));
            return 0;
        }

        if (args is not ["fuzz", ..])
        {
            Console.Error.WriteLine("These are tests: run them with `make test`, or `make fuzz`.");
            return 2;
        }

        if (FuzzOptions.TryParse(args.AsSpan(1), out string mistake) is not { } options)
        {
            Console.Error.WriteLine(mistake);
            return 2;
        }

        return FuzzRun.Run(options);
    }

    private static void UnderFuzzer(FuzzTarget target)
    {
        // An assertion that fails is to be a finding, not the end of the process.
        Trace.Listeners.Clear();
        Trace.Listeners.Add(new ThrowingListener());
        if (Environment.GetEnvironmentVariable("__LIBFUZZER_SHM_ID") is not null)
        {
            SharpFuzz.Fuzzer.LibFuzzer.Run(bytes => target.Run(bytes.ToArray()));
            return;
        }

        SharpFuzz.Fuzzer.Run((Stream stream) =>
        {
            using var bytes = new MemoryStream();
            stream.CopyTo(bytes);
            target.Run(bytes.ToArray());
        });
    }

    private sealed class ThrowingListener : TraceListener
    {
        public override void Fail(string? message, string? detailMessage) => throw new Finding($"assertion: {message} {detailMessage}");

        public override void Write(string? message)
        {
        }

        public override void WriteLine(string? message)
        {
        }
    }
}
