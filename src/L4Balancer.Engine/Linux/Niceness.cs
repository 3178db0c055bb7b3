using System.Globalization;
using System.Runtime.Versioning;

namespace L4Balancer.Engine.Linux;

/// <summary>
/// The priority of threads that compete for a processor (setpriority(2), sched(7)). On Linux each thread has its own nice value, and a new
/// thread inherits that of its creator. Any user may raise it; only root may lower it again.
/// </summary>
[SupportedOSPlatform("linux")]
public static class Niceness
{
    private const string Tasks = "/proc/self/task";

    /// <summary>Of 20 steps; at 10 a busy thread gets a tenth of the time that an ordinary one beside it gets (sched(7)).</summary>
    private const int Nicer = 10;

    /// <summary>
    /// Raises the nice value of every thread of this process except the event loops and the thread of an upgrade. Failures are ignored, whether a thread ends meanwhile or
    /// the kernel refuses: this is an optimization only.
    /// </summary>
    public static void YieldToEventLoops()
    {
        try
        {
            YieldAll();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // No descriptor is free, or /proc is restricted: the next call tries again shortly.
        }
    }

    private static void YieldAll()
    {
        foreach (string task in Directory.GetDirectories(Tasks))
        {
            if (int.TryParse(Path.GetFileName(task), NumberStyles.None, CultureInfo.InvariantCulture, out int thread)
                && NameOf(task) is string name && !IsPreferred(name)
                && Libc.getpriority(Libc.PRIO_PROCESS, thread) < Nicer)
            {
                _ = Libc.setpriority(Libc.PRIO_PROCESS, thread, Nicer);
            }
        }
    }

    /// <summary>The nice values of the threads, by name; for tests and diagnostics.</summary>
    internal static IReadOnlyList<(string Name, int Nice)> OfThreads() =>
    [
        .. Directory.GetDirectories(Tasks)
            .Select(t => (NameOf(t) ?? "", Libc.getpriority(Libc.PRIO_PROCESS, int.Parse(Path.GetFileName(t), CultureInfo.InvariantCulture)))),
    ];

    private static bool IsPreferred(string name) =>
        name.StartsWith(ThreadNames.Worker, StringComparison.Ordinal) || name.StartsWith(ThreadNames.Upgrade, StringComparison.Ordinal);

    private static string? NameOf(string task)
    {
        try
        {
            return File.ReadAllText(Path.Combine(task, "comm"));
        }
        catch (IOException)
        {
            return null;
        }
    }
}
