using System.Diagnostics;
using L4Balancer.Bench.Contestants;

namespace L4Balancer.Bench.Load;

/// <summary>
/// Short bursts in turn: each round gives every workload to every contestant once, in an order that is shuffled anew, so that what
/// else the machine does falls on all alike.
/// </summary>
internal sealed class Rounds(Field field, RunOptions options)
{
    private const int WarmUpPasses = 2;

    private static readonly BurstLimit WarmUp = new(TimeSpan.FromMilliseconds(400));
    private static readonly TimeSpan LeastWarmUp = TimeSpan.FromSeconds(10);

    private readonly Random _order = new(options.Seed);

    public void Run(IReadOnlyList<Row> rows)
    {
        WarmUpAll(rows);
        var limit = new BurstLimit(options.Burst);
        for (int round = 1; round <= options.Rounds; round++)
        {
            Console.Write($"round {round} of {options.Rounds}:");
            foreach (Row row in rows)
            {
                Contestant[] shuffled = [.. field.Contestants];
                _order.Shuffle(shuffled);
                foreach (Contestant contestant in shuffled)
                {
                    BurstResult result = row.Workload.Run(field.Towards(contestant), limit);
                    row.Add(contestant.Name, result);
                    Console.Write(result.Fault is null ? "." : "!");
                }
            }

            Console.WriteLine();
        }
    }

    // Not counted: first buffers, first pages, and the just-in-time compiler, which takes a share of the processor for some seconds
    // after code has become hot.
    private void WarmUpAll(IReadOnlyList<Row> rows)
    {
        Console.Write("warming up:");
        long start = Stopwatch.GetTimestamp();
        for (int pass = 0; pass < WarmUpPasses || Stopwatch.GetElapsedTime(start) < LeastWarmUp; pass++)
        {
            foreach (Row row in rows)
            {
                foreach (Contestant contestant in field.Contestants)
                {
                    row.Workload.Run(field.Towards(contestant), WarmUp);
                    row.Enter(contestant.Name);
                }

                Console.Write(".");
            }
        }

        Console.WriteLine();
    }
}
