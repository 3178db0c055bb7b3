using System.ComponentModel;
using System.Diagnostics;

namespace L4Balancer.Engine.Tests.Ports;

/// <summary>
/// A network namespace (network_namespaces(7)) for a test's body. A namespace belongs to threads, and sockets are opened on threads of
/// the pool: so a body runs as a process of its own, by way of Program.cs.
/// </summary>
internal static class TestNamespace
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    /// <param name="trial">What has to work for the test to have its say; otherwise it is skipped.</param>
    /// <param name="script">For sh; the command that runs the body is in its arguments.</param>
    /// <param name="body">As Program.cs takes it.</param>
    public static async Task RunAsync(string trial, string script, params string[] body)
    {
        (int code, string errors) = await InNamespaceAsync(trial);
        if (code != 0)
        {
            Assert.Ignore($"No such network namespace can be made here: {errors.Trim()}");
        }

        string dotnet = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        string assembly = typeof(TestNamespace).Assembly.Location;
        (code, errors) = await InNamespaceAsync(script, [dotnet, "exec", assembly, .. body]);
        Assert.That(code, Is.Zero, errors);
        await TestContext.Out.WriteAsync(errors);
    }

    // A user namespace (user_namespaces(7)) gives the right to make the other one to who is not root, where the host allows it.
    private static async Task<(int Code, string Errors)> InNamespaceAsync(string script, params string[] command)
    {
        string flags = Environment.IsPrivilegedProcess ? "-n" : "-rn";
        var start = new ProcessStartInfo("unshare", [flags, "sh", "-c", script, "sh", .. command]) { RedirectStandardError = true };
        try
        {
            using Process process = Process.Start(start)!;
            using var deadline = new CancellationTokenSource(Patience);
            try
            {
                string errors = await process.StandardError.ReadToEndAsync(deadline.Token);
                await process.WaitForExitAsync(deadline.Token);
                return (process.ExitCode, errors);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
                return (-1, $"Not done within {Patience}.");
            }
        }
        catch (Win32Exception e)
        {
            return (-1, $"unshare: {e.Message}");
        }
    }
}
