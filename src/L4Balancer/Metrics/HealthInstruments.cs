using System.Diagnostics.Metrics;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Routing;

namespace L4Balancer.Metrics;

/// <summary>How the backends are and what their probes came to, read when someone asks.</summary>
internal sealed class HealthInstruments
{
    private readonly Func<RoutingSnapshot> _snapshot;

    public HealthInstruments(Meter meter, Func<RoutingSnapshot> snapshot)
    {
        _snapshot = snapshot;
        meter.CreateObservableGauge(MetricNames.BackendUp, Up, null, "1 where the backend is up, 0 where it is down.");
        meter.CreateObservableGauge(MetricNames.BackendState, State, null, "1 for the state that the backend is in, 0 for the others.");
        meter.CreateObservableGauge(
            MetricNames.BackendShareRatio, ShareRatio, null,
            "The backend's connections against its fair share by weight; NaN where it has no share.");
        meter.CreateObservableCounter(
            MetricNames.HealthChecks, Checks, null, "Probes by result; local_error: our own shortage, it says nothing of the backend.");
        meter.CreateObservableCounter(MetricNames.HealthTransitions, Transitions, null, "Changes between up and down.");
    }

    private IEnumerable<Measurement<long>> Up()
    {
        foreach (Pool pool in _snapshot().Pools)
        {
            foreach (Backend backend in pool.Backends)
            {
                long up = pool.IsDown(backend.Index) ? 0 : 1;
                yield return new Measurement<long>(up, BackendLabels.Pool(backend), BackendLabels.Name(backend));
            }
        }
    }

    private IEnumerable<Measurement<long>> State()
    {
        foreach (Pool pool in _snapshot().Pools)
        {
            foreach (Backend backend in pool.Backends)
            {
                bool down = pool.IsDown(backend.Index);
                yield return BackendLabels.Measure(down ? 0 : 1, backend, MetricNames.State, MetricNames.Up);
                yield return BackendLabels.Measure(down ? 1 : 0, backend, MetricNames.State, MetricNames.Down);
            }
        }
    }

    private IEnumerable<Measurement<double>> ShareRatio()
    {
        foreach (Pool pool in _snapshot().Pools)
        {
            var shares = new FairShares(pool);
            foreach (Backend backend in pool.Backends)
            {
                yield return new Measurement<double>(shares.RatioOf(backend), BackendLabels.Pool(backend), BackendLabels.Name(backend));
            }
        }
    }

    private IEnumerable<Measurement<long>> Checks()
    {
        foreach (Backend backend in Backends())
        {
            HealthCounters health = backend.Cell.Health;
            if (health.Succeeded is > 0 and long succeeded)
            {
                yield return BackendLabels.Measure(succeeded, backend, MetricNames.Result, MetricNames.Success);
            }

            if (health.Failed is > 0 and long failed)
            {
                yield return BackendLabels.Measure(failed, backend, MetricNames.Result, MetricNames.Failure);
            }

            if (health.LocalErrors is > 0 and long localErrors)
            {
                yield return BackendLabels.Measure(localErrors, backend, MetricNames.Result, MetricNames.LocalError);
            }
        }
    }

    private IEnumerable<Measurement<long>> Transitions() =>
        Backends().Where(b => b.Cell.Health.Transitions > 0)
            .Select(b => new Measurement<long>(b.Cell.Health.Transitions, BackendLabels.Pool(b), BackendLabels.Name(b)));

    private IEnumerable<Backend> Backends() => _snapshot().Pools.SelectMany(p => p.Backends);
}
