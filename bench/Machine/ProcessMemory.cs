using System.Globalization;

namespace L4Balancer.Bench.Machine;

/// <summary>What a process and its children keep in memory, from /proc/PID/status (proc(5)), in bytes.</summary>
/// <param name="Resident">VmRSS.</param>
/// <param name="User">RssAnon and RssShmem: what is not the page cache of files.</param>
internal readonly record struct ProcessMemory(long Resident, long User)
{
    public static ProcessMemory Of(int process)
    {
        ProcessMemory total = Own(process);
        foreach (int child in ProcessorTime.Children(process))
        {
            ProcessMemory own = Own(child);
            total = new ProcessMemory(total.Resident + own.Resident, total.User + own.User);
        }

        return total;
    }

    private static ProcessMemory Own(int process)
    {
        string[] lines = File.ReadAllLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/status"));
        return new ProcessMemory(Field(lines, "VmRSS:"), Field(lines, "RssAnon:") + Field(lines, "RssShmem:"));
    }

    private static long Field(string[] lines, string name)
    {
        string line = lines.First(l => l.StartsWith(name, StringComparison.Ordinal));
        return 1024 * long.Parse(line[name.Length..].Trim().Split(' ')[0], CultureInfo.InvariantCulture);
    }
}
