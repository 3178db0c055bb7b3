using System.Globalization;

namespace L4Balancer.Bench.Survive;

/// <summary>What the processes of the daemon use: all whose program is its executable, keepers too, in this network namespace.</summary>
/// <param name="Descriptors">Of the process with the most.</param>
/// <param name="Memory">PSS of all together, in bytes (proc(5), smaps_rollup).</param>
internal sealed record DaemonFootprint(int Processes, int Descriptors, long Memory)
{
    public static DaemonFootprint Of(string program)
    {
        string space = LinkOf("/proc/self/ns/net");
        (int processes, int descriptors, long memory) = (0, 0, 0L);
        foreach (string process in Directory.GetDirectories("/proc").Where(static d => char.IsAsciiDigit(Path.GetFileName(d)[0])))
        {
            // The link of a program that was replaced on disk ends with " (deleted)".
            if (LinkOf(Path.Combine(process, "exe")).Split(' ')[0] != program || LinkOf(Path.Combine(process, "ns/net")) != space)
            {
                continue;
            }

            try
            {
                int own = Directory.GetFiles(Path.Combine(process, "fd")).Length;
                memory += ProportionalSize(Path.Combine(process, "smaps_rollup"));
                descriptors = Math.Max(descriptors, own);
                processes++;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It has ended meanwhile.
            }
        }

        return new DaemonFootprint(processes, descriptors, memory);
    }

    private static long ProportionalSize(string path)
    {
        string? line = File.ReadLines(path).FirstOrDefault(static l => l.StartsWith("Pss:", StringComparison.Ordinal));
        return line is null ? 0 : 1024 * long.Parse(line["Pss:".Length..].Trim().Split(' ')[0], CultureInfo.InvariantCulture);
    }

    private static string LinkOf(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget ?? "";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
