using System.ComponentModel;
using System.Diagnostics;
using L4Balancer.Bench.Machine;

namespace L4Balancer.Bench.Contestants;

/// <summary>Asks a program for its version.</summary>
internal static class InstalledVersion
{
    /// <returns>The first line it says; null where there is no such program.</returns>
    public static string? Ask(string program, string argument)
    {
        var start = new ProcessStartInfo(program, [argument]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["DOTNET_ROOT"] = OwnCommand.RuntimeRoot;
        try
        {
            using Process process = Process.Start(start)!;

            // nginx answers on standard error.
            string said = process.StandardOutput.ReadToEnd() + process.StandardError.ReadToEnd();
            process.WaitForExit();
            return said.Split('\n')[0].Trim();
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}
