using System.Diagnostics.Metrics;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;

namespace L4Balancer.Metrics;

/// <summary>The active configuration and build, the results of reloads, and what the engine as a whole holds.</summary>
internal sealed class ControlInstruments
{
    private readonly Func<RoutingSnapshot> _snapshot;
    private readonly Func<IEngine?> _engine;

    public ControlInstruments(Meter meter, Func<RoutingSnapshot> snapshot, Func<IEngine?> engine)
    {
        _snapshot = snapshot;
        _engine = engine;
        meter.CreateObservableCounter(
            MetricNames.Reloads, Reloads, null, "Reloads of the configuration; one that found nothing to change is a success.");
        meter.CreateObservableCounter(
            MetricNames.Upgrades, Upgrades, null, "Upgrades of this daemon to a new process; after one that failed the old process goes on.");
        meter.CreateObservableCounter(
            MetricNames.AdminAuthFailures, () => snapshot().State.AdminAuthFailures, null,
            "Requests to the admin API that were refused because of a wrong token.");
        meter.CreateObservableGauge(
            MetricNames.ConfigGeneration, () => snapshot().Generation, null,
            "Counts from 1 with each configuration that was put in force.");
        meter.CreateObservableGauge(
            MetricNames.HeldMemory, Held, null, "Memory held for peers that do not read, bounded by held_memory.");
        meter.CreateObservableGauge(MetricNames.BuildInfo, Build, null, "1; what runs is in the labels.");
    }

    private IEnumerable<Measurement<long>> Reloads()
    {
        ReloadCounters reloads = _snapshot().State.Reloads;
        yield return new Measurement<long>(reloads.Succeeded, new KeyValuePair<string, object?>(MetricNames.Result, MetricNames.Success));
        yield return new Measurement<long>(reloads.Failed, new KeyValuePair<string, object?>(MetricNames.Result, MetricNames.Failure));
    }

    private IEnumerable<Measurement<long>> Upgrades()
    {
        UpgradeCounters upgrades = _snapshot().State.Upgrades;
        yield return new Measurement<long>(upgrades.Succeeded, new KeyValuePair<string, object?>(MetricNames.Result, MetricNames.Success));
        yield return new Measurement<long>(upgrades.Failed, new KeyValuePair<string, object?>(MetricNames.Result, MetricNames.Failure));
    }

    private IEnumerable<Measurement<long>> Held()
    {
        if (_engine() is IEngine engine)
        {
            yield return new Measurement<long>(engine.HeldBytes);
        }
    }

    private IEnumerable<Measurement<long>> Build()
    {
        if (_engine() is IEngine engine)
        {
            BuildVersion build = BuildVersion.Current;
            yield return new Measurement<long>(
                1, new(MetricNames.Version, build.Version), new(MetricNames.Commit, build.Commit), new(MetricNames.Engine, engine.Name));
        }
    }
}
