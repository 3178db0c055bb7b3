using System.Runtime.InteropServices;

namespace L4Balancer.Bench.Machine;

/// <summary>Lets processes pause, so that only one side of a comparison runs at a time (signal(7)).</summary>
internal static partial class StopSignals
{
    // asm-generic/signal.h, the same on x86-64 and arm64.
    private const int SIGCONT = 18;
    private const int SIGSTOP = 19;

    public static void Pause(params ReadOnlySpan<int> processes) => Send(SIGSTOP, processes);

    public static void Continue(params ReadOnlySpan<int> processes) => Send(SIGCONT, processes);

    private static void Send(int signal, ReadOnlySpan<int> processes)
    {
        foreach (int process in processes)
        {
            if (kill(process, signal) != 0)
            {
                throw new InvalidOperationException($"process {process} is gone");
            }
        }
    }

    [LibraryImport("libc")]
    private static partial int kill(int pid, int sig);
}
