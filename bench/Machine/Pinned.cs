using System.Diagnostics;
using System.Globalization;

namespace L4Balancer.Bench.Machine;

/// <summary>Starts processes that stay on one processor, and end with this one.</summary>
internal static class Pinned
{
    /// <param name="output">A file that takes both outputs; null: they are inherited.</param>
    public static Process Start(IReadOnlyList<string> command, int processor, string? output = null)
    {
        // setpriv and taskset are of util-linux, which every distribution has. Each execs the next: the process stays one.
        string redirection = output is null ? "" : " >\"$OUTPUT\" 2>&1";
        var start = new ProcessStartInfo("sh",
        [
            "-c",
            string.Create(CultureInfo.InvariantCulture, $"exec setpriv --pdeathsig TERM taskset -c {processor} \"$@\"{redirection}"),
            "sh",
            .. command,
        ]);
        if (output is not null)
        {
            start.Environment["OUTPUT"] = output;
        }

        // The daemon's own start program finds the runtime by this, wherever it is installed.
        start.Environment["DOTNET_ROOT"] = OwnCommand.RuntimeRoot;
        return Process.Start(start)!;
    }
}
