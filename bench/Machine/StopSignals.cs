using L4Balancer.Engine.Linux;

namespace L4Balancer.Bench.Machine;

/// <summary>Lets processes pause, so that only one side of a comparison runs at a time (signal(7)).</summary>
internal static class StopSignals
{
    public static void Pause(params ReadOnlySpan<int> processes) => Send(Libc.SIGSTOP, processes);

    public static void Continue(params ReadOnlySpan<int> processes) => Send(Libc.SIGCONT, processes);

    private static void Send(int signal, ReadOnlySpan<int> processes)
    {
        foreach (int process in processes)
        {
            if (Libc.kill(process, signal) != 0)
            {
                throw new InvalidOperationException($"process {process} is gone");
            }
        }
    }
}
