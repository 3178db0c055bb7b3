using System.Globalization;
using System.Text;

namespace L4Balancer.Tests.Chaos;

/// <summary>What a run has found.</summary>
internal sealed record ChaosResult(int Violations, IReadOnlyList<string> First, string Report);

/// <summary>Figures of the daemon's process, before the load, at rest after it, and the most meanwhile.</summary>
internal sealed class ProcessFigures
{
    private const double Mebibyte = 1024 * 1024;

    public int SocketsBefore { get; set; }

    public int SocketsAfter { get; set; }

    public int DescriptorsBefore { get; set; }

    public int DescriptorsAfter { get; set; }

    public long MemoryBefore { get; set; }

    public long MemoryAfter { get; set; }

    public long MostMemory { get; set; }

    /// <summary>From SIGTERM under load to the end of the process; null if it had to be killed.</summary>
    public TimeSpan? Stop { get; set; }

    public string Write(ChaosScene scene, MetricsWatch watch, TimeSpan load)
    {
        Ledger ledger = scene.Ledger;
        AccessTotals log = ledger.Totals;
        var text = new StringBuilder();
        void Line(FormattableString line) => text.AppendLine(line.ToString(CultureInfo.InvariantCulture));
        Line($"chaos {scene.Options}: {load.TotalSeconds:F0} s of load");
        Line($"  accepted {log.Lines} = refused {log.Refused.Values.Sum()} + closed {log.Closed.Values.Sum()}");
        Line($"  reset before they were accepted: {ledger.Judged.NeverAccepted}");
        Line($"  compared in good order {ledger.Judged.InGoodOrder}; {ledger.Judged.Bytes / 1e9:F2} GB checked; {watch.Scrapes} scrapes");
        Line($"  kinds: {string.Join(", ", ledger.Judged.Kinds.Select(k => $"{k.Key} {k.Value}"))}");
        Line($"  refused: {string.Join(", ", log.Refused.Select(r => $"{r.Key} {r.Value}"))}");
        Line($"  closed: {string.Join(", ", log.Closed.Select(r => $"{r.Key} {r.Value}"))}");
        Line($"  chaos: {string.Join(", ", scene.Counts.Select(c => $"{c.Count} {c.What}"))}");
        Line($"  sockets before/after {SocketsBefore}/{SocketsAfter}, descriptors {DescriptorsBefore}/{DescriptorsAfter}");
        Line($"  memory before/at rest/most {MemoryBefore / Mebibyte:F0}/{MemoryAfter / Mebibyte:F0}/{MostMemory / Mebibyte:F0} MiB");
        Line($"  end by SIGTERM under load after {Stop?.TotalSeconds ?? double.PositiveInfinity:F2} s");
        Line($"  violations: {scene.Violations.Count}");
        return text.ToString();
    }
}
