using System.Collections.Concurrent;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Engine.Probing;

namespace L4Balancer.Engine.Tests.Probing;

/// <summary>Takes backends out and back in by what is reported, as the daemon does, and keeps the reports for a test to wait for.</summary>
internal sealed class ReportLog
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly BlockingCollection<(ProbeReport Report, bool Changed)> _reports = [];
    private readonly Dictionary<BackendState, HealthTracker> _trackers = [];
    private int _inside;

    /// <summary>A report came while another was taken.</summary>
    public bool Overlapped { get; private set; }

    public void Take(ProbeReport report)
    {
        Overlapped |= Interlocked.Increment(ref _inside) != 1;
        _reports.Add((report, Changes(report)));
        Interlocked.Decrement(ref _inside);
    }

    private bool Changes(ProbeReport report)
    {
        HealthSettings settings = report.Pool.Settings.Health;
        if (!_trackers.TryGetValue(report.Backend.State, out HealthTracker? tracker))
        {
            _trackers.Add(report.Backend.State, tracker = new HealthTracker(settings.Rise, settings.Fall));
        }

        if (report.Outcome == ProbeOutcome.LocalError)
        {
            report.Backend.State.Health.Count(ProbeOutcome.LocalError);
        }

        bool changed = tracker.Report(report.Outcome);
        report.Pool.SetHealth(new Dictionary<int, HealthState> { [report.Backend.Index] = tracker.State });
        return changed;
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
