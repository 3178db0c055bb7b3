using System.Collections.Concurrent;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;
using L4Balancer.Engine.Probing;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>Takes reports to a health board, as the daemon does, and keeps them for a test to wait for.</summary>
internal sealed class ReportLog
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly BlockingCollection<(ProbeReport Report, bool Changed)> _reports = [];
    private int _inside;

    public HealthBoard Board { get; } = new();

    /// <summary>A report came while another was taken.</summary>
    public bool Overlapped { get; private set; }

    public void Take(ProbeReport report)
    {
        Overlapped |= Interlocked.Increment(ref _inside) != 1;
        _reports.Add((report, Board.Report(report.Pool, report.Backend, report.Outcome)));
        Interlocked.Decrement(ref _inside);
    }

    /// <summary>Reports that nobody has asked for yet.</summary>
    public int Count => _reports.Count;

    public ProbeReport Next() => NextEntry().Report;

    /// <summary>The outcomes up to the one that took a backend down or back.</summary>
    public IReadOnlyList<ProbeOutcome> UntilChange()
    {
        List<ProbeOutcome> outcomes = [];
        (ProbeReport Report, bool Changed) entry;
        do
        {
            entry = NextEntry();
            outcomes.Add(entry.Report.Outcome);
        }
        while (!entry.Changed);

        return outcomes;
    }

    private (ProbeReport Report, bool Changed) NextEntry()
    {
        Assert.That(_reports.TryTake(out (ProbeReport Report, bool Changed) entry, Patience), "No report came in time.");
        return entry;
    }
}
