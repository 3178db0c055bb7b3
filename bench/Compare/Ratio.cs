using L4Balancer.Bench.Contestants;
using L4Balancer.Bench.Load;
using L4Balancer.Bench.Reports;

namespace L4Balancer.Bench.Compare;

/// <summary>Ours to somebody else's in one row, round by round, and the bar that it is held to.</summary>
/// <param name="Against">Who the other one is.</param>
/// <param name="Bar">Null where the row is for information.</param>
internal sealed record Ratio(string Row, string Ours, string Against, bool Latency, Spread Value, Bar? Bar)
{
    private static readonly string[] Stock = ["haproxy", "nginx"];
    private const string Splice = "haproxy splice";

    /// <summary>All ratios of a row for which there are good results on both sides.</summary>
    public static IEnumerable<Ratio> Of(Row row, string ours)
    {
        if (!row.Counts(ours))
        {
            yield break;
        }

        IReadOnlyList<Bar> bars = IsHeld(ours) ? Bar.Of(row.Name) : [];
        foreach ((bool latency, bool splice) in new[] { (false, false), (false, true), (true, false) })
        {
            // Of the managed engine, which no bar holds, the cost says enough.
            if ((latency && row[ours][0].Latency is null) || (!IsHeld(ours) && (latency || splice)))
            {
                continue;
            }

            // The better one over all rounds, so that luck of a single burst does not choose.
            string? other = (splice ? [Splice] : Stock).Where(row.Counts)
                .OrderBy(c => Spread.Of(row[c].Select(r => Figure(r, latency))).Median).FirstOrDefault();
            if (other is not null)
            {
                Spread value = Spread.Of(row[ours].Zip(row[other], (a, b) => Figure(a, latency) / Figure(b, latency)));
                yield return new Ratio(
                    row.Name, ours, other, latency, value, bars.FirstOrDefault(b => b.Latency == latency && b.Splice == splice));
            }
        }

        foreach (string other in new[] { ours + CompareCommand.OtherBuild, ours + DaemonKind.WithoutKeeper }.Where(row.Counts))
        {
            Spread value = Spread.Of(row[ours].Zip(row[other], (a, b) => Figure(a, latency: false) / Figure(b, latency: false)));
            yield return new Ratio(row.Name, ours, other, Latency: false, value, Bar.OfKeeper(row.Name));
        }
    }

    private static bool IsHeld(string ours) => ours.EndsWith("epoll", StringComparison.Ordinal);

    private static double Figure(BurstResult result, bool latency) =>
        latency ? result.Latency!.Percentile(0.99) : result.NanosecondsPerUnit;
}
