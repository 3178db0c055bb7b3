using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <summary>
/// The CPU time of a thread of this process, read by other threads at no cost to it. The clock id is derived from the thread id, as
/// pthread_getcpuclockid(3) does.
/// </summary>
internal sealed unsafe class ThreadClock
{
    /// <summary>CPUCLOCK_PERTHREAD_MASK and CPUCLOCK_SCHED of linux/posix-timers.h.</summary>
    private const int SchedulerTimeOfThread = 4 | 2;

    private volatile int _clock;
    private long _ticks;

    /// <summary>CPU time since the thread began; for a thread that has ended, its total.</summary>
    public TimeSpan Total
    {
        get
        {
            int clock = _clock;
            (long Seconds, long Nanoseconds) time = default;
            if (clock != 0 && Libc.clock_gettime(clock, &time) == 0)
            {
                Volatile.Write(ref _ticks, (time.Seconds * TimeSpan.TicksPerSecond) + (time.Nanoseconds / TimeSpan.NanosecondsPerTick));
            }

            return new TimeSpan(Volatile.Read(ref _ticks));
        }
    }

    /// <summary>gettid(2): glibc has a wrapper only since 2.30. x86-64 has its own system call numbers, all others share one table.</summary>
    private static nint GetTid => RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 186 : 178;

    /// <summary>Called once by the thread itself.</summary>
    public void Begin() => _clock = (~(int)Libc.syscall(GetTid) << 3) | SchedulerTimeOfThread;

    /// <summary>Called by the thread itself before it ends, because its id may be reused soon.</summary>
    public void End()
    {
        _ = Total;
        _clock = 0;
    }
}
