using L4Balancer.Bench.Contestants;

namespace L4Balancer.Bench.Load;

/// <summary>
/// Short bursts in turn: each round gives every workload to every contestant once, in an order that is shuffled anew, so that what
/// else the machine does falls on all alike.
/// </summary>
internal sealed class Rounds(Field field, RunOptions options)
{
    private static readonly BurstLimit WarmUp = new(TimeSpan.FromMilliseconds(400));

    private readonly Random _order = new(options.Seed);

    public void Run(IReadOnlyList<Row> rows)
    {
        foreach (Row row in rows)
        {
            foreach (Contestant contestant in field.Contestants)
            {
                // Not counted: compilation, first buffers, first pages.
                row.Workload.Run(field.Towards(contestant), WarmUp);
                row.Enter(contestant.Name);
            }
        }

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
}
