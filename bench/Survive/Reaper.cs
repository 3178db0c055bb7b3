using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Bench.Survive;

/// <summary>
/// Makes this process the parent of what its children leave behind (prctl(2), PR_SET_CHILD_SUBREAPER), as a service manager is, and takes
/// away the ended ones, so that no zombie counts as a process of the daemon.
/// </summary>
internal static partial class Reaper
{
    private const int PR_SET_CHILD_SUBREAPER = 36;

    private static readonly ConcurrentDictionary<int, byte> Started = [];
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(50);

    public static void Start()
    {
        if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
        {
            throw new InvalidOperationException("prctl: what the daemon leaves behind cannot be adopted");
        }

        var reaping = new Thread(Reap) { IsBackground = true, Name = "reaper" };
        reaping.Start();
    }

    /// <summary>The runtime waits for this child itself.</summary>
    public static void Own(int child) => Started[child] = 0;

    private static void Reap()
    {
        while (true)
        {
            foreach (string thread in Directory.GetDirectories("/proc/self/task"))
            {
                foreach (int child in Children(thread).Where(static c => !Started.ContainsKey(c)))
                {
                    ChildProcess.HasEnded(child);
                }
            }

            Thread.Sleep(Every);
        }
    }

    private static IEnumerable<int> Children(string thread)
    {
        try
        {
            return File.ReadAllText(Path.Combine(thread, "children"))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Select(static w => int.Parse(w, CultureInfo.InvariantCulture));
        }
        catch (IOException)
        {
            // The thread has ended.
            return [];
        }
    }

    [LibraryImport("libc")]
    private static partial int prctl(int option, nuint arg2, nuint arg3, nuint arg4, nuint arg5);
}
