using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <summary>
/// The CPU time of a thread of this process, read by others: the thread itself has nothing to do for it. The number of its clock is made
/// of its thread id, as pthread_getcpuclockid(3) makes it.
/// </summary>
internal sealed unsafe class ThreadClock
{
    /// <summary>CPUCLOCK_PERTHREAD_MASK and CPUCLOCK_SCHED of linux/posix-timers.h.</summary>
    private const int SchedulerTimeOfThread = 4 | 2;

    private volatile int _clock;
    private long _ticks;

    /// <summary>Since it began; of one that has ended, what it had spent by then.</summary>
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

    /// <summary>gettid(2): glibc has a function for it only since 2.30. x86-64 has its own numbers, all others share one table.</summary>
    private static nint GetTid => RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 186 : 178;

    /// <summary>For the thread itself, once.</summary>
    public void Begin() => _clock = (~(int)Libc.syscall(GetTid) << 3) | SchedulerTimeOfThread;

    /// <summary>For the thread itself: its id may soon be that of another.</summary>
    public void End()
    {
        _ = Total;
        _clock = 0;
    }
}
