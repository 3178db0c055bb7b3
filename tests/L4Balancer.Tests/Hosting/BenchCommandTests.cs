using System.Diagnostics;

namespace L4Balancer.Tests.Hosting;

/// <summary>The command line of <c>bench packet</c>. The measurement itself needs a quiet machine.</summary>
[Platform("Linux")]
internal sealed class BenchCommandTests
{
    private static string Bench => Path.Combine(
        Repository.Root, "bench", "bin", new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name, "net10.0", "L4Balancer.Bench.dll");

    [Test]
    public async Task Packet_names_its_rows_if_none_is_asked_for()
    {
        if (!File.Exists(Bench))
        {
            Assert.Ignore("the bench is not built");
        }

        var start = new ProcessStartInfo("dotnet", ["exec", Bench, "packet", "--rounds", "1", "--only", "nothing like it"])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        string errors = await process.StandardError.ReadToEndAsync() + await output;
        await process.WaitForExitAsync();
        Assert.That(process.ExitCode, Is.EqualTo(2), errors);
        Assert.That(errors, Does.Contain("flood of SYNs").And.Contain("bulk, 8 streams, to the client").And.Contain("test run"));
    }
}
