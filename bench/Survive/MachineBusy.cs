using System.Diagnostics;
using System.Globalization;
using L4Balancer.Bench.Machine;

namespace L4Balancer.Bench.Survive;

/// <summary>How busy the machine is, from /proc/stat (proc(5)), and which share of it these processes are.</summary>
/// <param name="All">Of all processors: 1 is no idle time at all.</param>
/// <param name="Own">What the processes of the scene used.</param>
internal readonly record struct MachineBusy(double All, double Own)
{
    public static MachineBusy Over(TimeSpan time, IReadOnlyCollection<int> processes)
    {
        (long idle, long all) = Read();
        long own = processes.Sum(ProcessorTime.Nanoseconds);
        long start = Stopwatch.GetTimestamp();
        Thread.Sleep(time);
        (long idleAfter, long allAfter) = Read();
        double span = Stopwatch.GetElapsedTime(start).TotalNanoseconds * Environment.ProcessorCount;
        double used = (processes.Sum(ProcessorTime.Nanoseconds) - own) / span;
        return new MachineBusy(1 - ((idleAfter - idle) / (double)Math.Max(1, allAfter - all)), used);
    }

    // Fields of the first line: user, nice, system, idle, iowait, irq, softirq, steal.
    private static (long Idle, long All) Read()
    {
        long[] fields = [.. File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..9]
            .Select(static w => long.Parse(w, CultureInfo.InvariantCulture))];
        return (fields[3] + fields[4], fields.Sum());
    }
}
