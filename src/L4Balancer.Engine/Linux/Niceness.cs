using System.Globalization;
using System.Runtime.Versioning;

namespace L4Balancer.Engine.Linux;

/// <summary>
/// How much of a processor a thread gets where others want it too (setpriority(2), sched(7)). On Linux each thread has its own, and a new
/// one that of the thread that made it. Anyone may make a thread nicer; only root takes it back.
/// </summary>
[SupportedOSPlatform("linux")]
public static class Niceness
{
    private const string Tasks = "/proc/self/task";

    /// <summary>Of the 20 steps; at 10 a busy thread gets a tenth of what an ordinary one beside it gets (sched(7)).</summary>
    private const int Nicer = 10;

    /// <summary>
    /// Makes every thread of this process nicer but the event loops. One that ends meanwhile, or a kernel that refuses, is passed over:
    /// this is a wish.
    /// </summary>
    public static void YieldToEventLoops()
    {
        try
        {
            YieldAll();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // No descriptor to look with, or a /proc that hides: the next look is in a moment.
        }
    }

    private static void YieldAll()
    {
        foreach (string task in Directory.GetDirectories(Tasks))
        {
            if (int.TryParse(Path.GetFileName(task), NumberStyles.None, CultureInfo.InvariantCulture, out int thread)
                && NameOf(task) is string name && !name.StartsWith(ThreadNames.Worker, StringComparison.Ordinal)
                && Libc.getpriority(Libc.PRIO_PROCESS, thread) < Nicer)
            {
                _ = Libc.setpriority(Libc.PRIO_PROCESS, thread, Nicer);
            }
        }
    }

    /// <summary>How nice the threads are, by their names; for tests and whoever wonders.</summary>
    internal static IReadOnlyList<(string Name, int Nice)> OfThreads() =>
    [
        .. Directory.GetDirectories(Tasks)
            .Select(t => (NameOf(t) ?? "", Libc.getpriority(Libc.PRIO_PROCESS, int.Parse(Path.GetFileName(t), CultureInfo.InvariantCulture)))),
    ];

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
