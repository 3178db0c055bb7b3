using L4Balancer.CommandLine;
using L4Balancer.Hosting;
using L4Balancer.Platform;

FrameworkEnvironment.Forget();
try
{
    return await CommandLineRoot.InvokeAsync(args, Console.Out, Console.Error);
}
catch (Exception e)
{
    Console.Error.WriteLine($"l4balancer: unexpected error: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}");
    return ExitCode.Failed;
}
