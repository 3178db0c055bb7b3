using System.Diagnostics;
using System.Globalization;

namespace L4Balancer.Bench.Machine;

/// <summary>
/// How long the processors of the whole machine were busy, work in interrupts included: wall time of all of them less what /proc/stat (proc(5)) counts as
/// idle, as waiting for a disk, or as stolen by the hypervisor, in steps of 10 ms, less what the machine at rest is busy. Where other programs keep the
/// machine busy that would be noise: then it is the CPU time of all processes of the bench and of the kernel's threads ksoftirqd. Work in interrupts
/// counts for the process that it interrupts, and what interrupts none is missing.
/// </summary>
/// <param name="processes">Those of the bench but this one.</param>
internal sealed class MachineTime(Func<IEnumerable<int>> processes)
{
    private const long NanosecondsPerTick = 10_000_000; // USER_HZ is 100 (time(7)).
    private const double MostRest = 0.1;

    private readonly int[] _kernel = [.. SoftInterruptThreads()];
    private double _rest;

    /// <summary>The share of all processors that was busy when the machine was at rest.</summary>
    public double Rest => _rest / Environment.ProcessorCount;

    public bool IsOfProcesses => Rest > MostRest;

    public string Method => IsOfProcesses
        ? $"CPU is that of the bench's processes and of ksoftirqd, as other programs kept the machine {Rest:0.0%} busy"
        : $"CPU is busy time of the whole machine by /proc/stat, less {Rest:0.0%} at rest";

    /// <summary>Busy time since some moment.</summary>
    public long Nanoseconds()
    {
        if (IsOfProcesses)
        {
            return processes().Concat(_kernel).Append(Environment.ProcessId).Sum(ProcessorTime.Nanoseconds);
        }

        (long wall, long busy) = Read();
        return busy - (long)(_rest * wall);
    }

    /// <summary>Measures the machine at rest: whatever runs besides the bench, and what the contestants do without traffic.</summary>
    public void MeasureRest(TimeSpan time)
    {
        (long wall, long busy) = Read();
        Thread.Sleep(time);
        (long wallAfter, long busyAfter) = Read();
        _rest = Math.Max(0, (busyAfter - busy) / (double)(wallAfter - wall));
    }

    private static (long Wall, long Busy) Read()
    {
        long[] fields = [.. File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..9]
            .Select(static w => long.Parse(w, CultureInfo.InvariantCulture))];
        long wall = (long)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency));

        // user, nice, system, idle, iowait, irq, softirq, steal
        return (wall, (wall * Environment.ProcessorCount) - (NanosecondsPerTick * (fields[3] + fields[4] + fields[7])));
    }

    private static IEnumerable<int> SoftInterruptThreads()
    {
        foreach (Process process in Process.GetProcesses())
        {
            using (process)
            {
                if (process.ProcessName.StartsWith("ksoftirqd/", StringComparison.Ordinal))
                {
                    yield return process.Id;
                }
            }
        }
    }
}
