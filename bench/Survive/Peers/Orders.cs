using System.Collections.Concurrent;
using System.Diagnostics;

namespace L4Balancer.Bench.Survive.Peers;

/// <summary>What the scene tells a process of peers, a line each on its standard input; the end of the input ends the process.</summary>
internal sealed class Orders
{
    private readonly ConcurrentQueue<string> _lines = new();

    public Orders()
    {
        var reading = new Thread(Read) { IsBackground = true, Name = "orders" };
        reading.Start();
    }

    /// <summary>Nanoseconds of CLOCK_MONOTONIC, the same in every process.</summary>
    public static long Now => (long)Stopwatch.GetElapsedTime(0).TotalNanoseconds;

    public bool TryTake(out string order)
    {
        bool any = _lines.TryDequeue(out string? line);
        order = line ?? "";
        return any;
    }

    public static void Answer(string line)
    {
        Console.Out.WriteLine(line);
        Console.Out.Flush();
    }

    private void Read()
    {
        while (Console.In.ReadLine() is string line)
        {
            _lines.Enqueue(line);
        }

        Environment.Exit(0);
    }
}
