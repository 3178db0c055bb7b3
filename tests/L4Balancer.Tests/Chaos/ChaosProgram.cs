namespace L4Balancer.Tests.Chaos;

/// <summary>
/// The entry point of this assembly. The test runner loads the assembly and never comes here; <c>make chaos</c> starts it as a program, so
/// that a run may be of any length and shows what it does.
/// </summary>
internal static class ChaosProgram
{
    public static async Task<int> Main(string[] args)
    {
        if (args is not ["chaos", ..])
        {
            await Console.Error.WriteLineAsync("These are tests: run them with `make test`, or `make chaos`.");
            return 2;
        }

        if (ChaosOptions.TryParse(args.AsSpan(1), out string mistake) is not ChaosOptions options)
        {
            await Console.Error.WriteLineAsync(mistake);
            return 2;
        }

        ChaosResult result = await ChaosRun.RunAsync(options, Console.WriteLine);
        return result.Violations == 0 ? 0 : 1;
    }
}
