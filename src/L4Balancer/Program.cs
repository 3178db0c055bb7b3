using L4Balancer.CommandLine;
using L4Balancer.Hosting;
using L4Balancer.Platform;

FrameworkEnvironment.Forget();
try
{
    return await CommandLineRoot.InvokeAsync(args, Console.Out, Console.Error);
}
catch (Exception e) when (e is IOException or UnauthorizedAccessException)
{
    // Of files and the network each command reports by itself; this is its own output.
    return Failed(e is IOException ? $"the output cannot be written: {e.Message.TrimEnd('.')}" : "the output cannot be written: it is closed");
}
catch (Exception e)
{
    return Failed($"internal error, which is a bug: {e.Message}");
}

static int Failed(string line)
{
    try
    {
        Console.Error.WriteLine($"l4balancer: {line.ReplaceLineEndings(" ")}");
    }
    catch (Exception e) when (e is IOException or UnauthorizedAccessException)
    {
        // Standard error is closed or full as well; the exit code is left.
    }

    return ExitCode.Failed;
}
