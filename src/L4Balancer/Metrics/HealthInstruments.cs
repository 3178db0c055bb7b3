using System.Diagnostics.Metrics;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Health;
using L4Balancer.Core.Routing;

namespace L4Balancer.Metrics;

/// <summary>
/// How the backends are and what their probes came to, read at a scrape. One that has left the file is draining while it holds
/// connections; it is not probed any more, so it has no <c>backend_up</c>.
/// </summary>
internal sealed class HealthInstruments
{
    private static readonly KeyValuePair<string, object?>[] States =
    [
        Label(MetricNames.State, MetricNames.Up), Label(MetricNames.State, MetricNames.Degraded), Label(MetricNames.State, MetricNames.Down),
        Label(MetricNames.State, MetricNames.Draining), Label(MetricNames.State, MetricNames.Maintenance),
        Label(MetricNames.State, MetricNames.Checking),
    ];

    private static readonly KeyValuePair<string, object?> Success = Label(MetricNames.Result, MetricNames.Success);
    private static readonly KeyValuePair<string, object?> Failure = Label(MetricNames.Result, MetricNames.Failure);
    private static readonly KeyValuePair<string, object?> LocalError = Label(MetricNames.Result, MetricNames.LocalError);

    private readonly List<BackendSeries> _backends;

    /// <param name="group">Its members change between two scrapes.</param>
    public HealthInstruments(SeriesGroup<BackendSeries> group)
    {
        _backends = group.Members;
        Meter meter = group.Meter;
        meter.CreateObservableGauge(MetricNames.BackendUp, Up, null, "1 where the backend is up, 0 where it is degraded, down or checking.");
        meter.CreateObservableGauge(MetricNames.BackendState, State, null, "1 for the state that the backend is in, 0 for the others.");
        meter.CreateObservableGauge(MetricNames.BackendWeight, Weight, null, "The weight in force; 0: no new connections.");
        meter.CreateObservableGauge(
            MetricNames.BackendShareRatio, ShareRatio, null,
            "The backend's connections against its fair share by weight; NaN where it has no share and takes no connections.");
        meter.CreateObservableCounter(
            MetricNames.HealthChecks, Checks, null, "Probes by result; local_error: our own shortage, it says nothing of the backend.");
        meter.CreateObservableCounter(MetricNames.HealthTransitions, Transitions, null, "Changes between up, degraded and down.");
    }

    private IEnumerable<Measurement<long>> Up()
    {
        foreach (BackendSeries backend in _backends)
        {
            if (backend.Pool is Pool pool)
            {
                yield return backend.Measure(pool.HealthOf(backend.Backend.Index) == HealthState.Up ? 1L : 0L);
            }
        }
    }

    private IEnumerable<Measurement<long>> State()
    {
        foreach (BackendSeries backend in _backends)
        {
            if (!backend.IsInForce && backend.Active == 0)
            {
                continue;
            }

            BackendStatus state = backend.Pool?.StatusOf(backend.Backend.Index) ?? BackendStatus.Draining;
            for (int i = 0; i < States.Length; i++)
            {
                yield return backend.Measure(i == (int)state ? 1 : 0, States[i]);
            }
        }
    }

    private IEnumerable<Measurement<long>> Weight()
    {
        foreach (BackendSeries backend in _backends)
        {
            if (backend.IsInForce)
            {
                yield return backend.Measure(backend.Backend.Weight);
            }
        }
    }

    private IEnumerable<Measurement<double>> ShareRatio()
    {
        FairShares? shares = null;
        foreach (BackendSeries backend in _backends)
        {
            if (backend.Pool is Pool pool)
            {
                // The backends of a pool come one after the other.
                shares = shares?.Pool == pool ? shares : new FairShares(pool);
                yield return backend.Measure(shares.RatioOf(backend.Backend));
            }
        }
    }

    private IEnumerable<Measurement<long>> Checks()
    {
        foreach (BackendSeries backend in _backends)
        {
            if (backend.Shows(backend.Sum(static c => c.Health.Succeeded), out long succeeded))
            {
                yield return backend.Measure(succeeded, Success);
            }

            if (backend.Shows(backend.Sum(static c => c.Health.Failed), out long failed))
            {
                yield return backend.Measure(failed, Failure);
            }

            if (backend.Shows(backend.Sum(static c => c.Health.LocalErrors), out long localErrors))
            {
                yield return backend.Measure(localErrors, LocalError);
            }
        }
    }

    private IEnumerable<Measurement<long>> Transitions()
    {
        foreach (BackendSeries backend in _backends)
        {
            if (backend.Shows(backend.Sum(static c => c.Health.Transitions), out long transitions))
            {
                yield return backend.Measure(transitions);
            }
        }
    }

    private static KeyValuePair<string, object?> Label(string name, string value) => new(name, value);
}
