using System.Globalization;
using System.Runtime.InteropServices;

namespace L4Balancer.Bench.Machine;

/// <summary>
/// Nanoseconds that a process has run on a processor, threads that have ended included: its CPU-time clock (clock_getcpuclockid(3)),
/// the same run time as in /proc/PID/schedstat, and as fine.
/// </summary>
internal static unsafe partial class ProcessorTime
{
    /// <summary>CPUCLOCK_SCHED of include/linux/posix-timers.h.</summary>
    private const int SchedulerClock = 2;

    /// <summary>Of a process and of its children, as nginx has them.</summary>
    public static long Nanoseconds(int process)
    {
        long total = Own(process);
        foreach (int child in Children(process))
        {
            total += Own(child);
        }

        return total;
    }

    public static IEnumerable<int> Children(int process)
    {
        string path = string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/task/{process}/children");
        string[] words = File.Exists(path) ? File.ReadAllText(path).Split(' ', StringSplitOptions.RemoveEmptyEntries) : [];
        return words.Select(w => int.Parse(w, CultureInfo.InvariantCulture));
    }

    private static long Own(int process)
    {
        long* time = stackalloc long[2];
        return clock_gettime((~process << 3) | SchedulerClock, time) == 0
            ? (time[0] * 1_000_000_000) + time[1]
            : throw new InvalidOperationException($"process {process} is gone");
    }

    // struct timespec: two 64-bit words on every 64-bit Linux.
    [LibraryImport("libc")]
    private static partial int clock_gettime(int clockid, long* tp);
}
