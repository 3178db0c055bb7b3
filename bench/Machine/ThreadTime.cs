using System.Globalization;

namespace L4Balancer.Bench.Machine;

/// <summary>What the threads of a process have run, by their names (proc(5), task/TID/comm and schedstat).</summary>
internal static class ThreadTime
{
    /// <returns>Nanoseconds of all threads whose name begins so.</returns>
    public static long Nanoseconds(int process, string name)
    {
        string tasks = string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/task");
        return Directory.GetDirectories(tasks)
            .Where(t => File.ReadAllText(Path.Combine(t, "comm")).StartsWith(name, StringComparison.Ordinal))
            .Sum(t => long.Parse(File.ReadAllText(Path.Combine(t, "schedstat")).Split(' ')[0], CultureInfo.InvariantCulture));
    }
}
