using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Text.RegularExpressions;

namespace L4Balancer.Tests.NameServer;

/// <summary>The DNS clients of three other projects: dig (BIND), kdig (Knot DNS), drill (ldns).</summary>
internal static partial class DnsClientTool
{
    /// <summary>Asks, and skips the test where the client is not installed.</summary>
    /// <returns>What it prints, with single spaces.</returns>
    public static async Task<string> AskAsync(string tool, IPEndPoint server, params string[] args)
    {
        string[] where = tool == "drill"
            ? ["-p", $"{server.Port}", $"@{server.Address}"]
            : [tool == "dig" ? "+tries=1" : "+retry=0", "+time=30", $"@{server.Address}", "-p", $"{server.Port}"];
        var start = new ProcessStartInfo(tool, [.. where, .. args]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Start(start);
        string[] printed = await Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync())
            .WaitAsync(DaemonProcess.Deadline);
        await process.WaitForExitAsync();
        return Blanks().Replace(string.Concat(printed), " ");
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception)
        {
            Assert.Ignore($"{start.FileName} is not installed");
            throw;
        }
    }

    [GeneratedRegex("[ \t]+")]
    private static partial Regex Blanks();
}
