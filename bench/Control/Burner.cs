using System.Diagnostics;

namespace L4Balancer.Bench.Control;

/// <summary>A process that takes a share of a processor and does nothing with it, in as many slices as a scraper asks.</summary>
internal static class Burner
{
    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(100);

    /// <summary>Runs until it is killed.</summary>
    public static int Run(double share)
    {
        using var self = Process.GetCurrentProcess();
        while (true)
        {
            long start = Stopwatch.GetTimestamp();
            TimeSpan until = self.TotalProcessorTime + (Slice * share);
            do
            {
                Thread.SpinWait(1000);
                self.Refresh();
            }
            while (self.TotalProcessorTime < until);

            TimeSpan left = Slice - Stopwatch.GetElapsedTime(start);
            if (left > TimeSpan.Zero)
            {
                Thread.Sleep(left);
            }
        }
    }
}
