using System.Diagnostics.Metrics;
using L4Balancer.Recovery;

namespace L4Balancer.Metrics;

/// <summary>What became of the connections that a crashed daemon had.</summary>
internal sealed class RecoveryInstruments
{
    private readonly Func<RecoveryCounters> _counters;

    public RecoveryInstruments(Meter meter, Func<RecoveryCounters> counters)
    {
        _counters = counters;
        meter.CreateObservableCounter(
            MetricNames.Recovered, Read, null, "Connections of a daemon that has crashed: adopted by this one, or reset.");
    }

    private IEnumerable<Measurement<long>> Read()
    {
        RecoveryCounters counters = _counters();
        yield return new Measurement<long>(counters.Adopted, new KeyValuePair<string, object?>(MetricNames.Result, MetricNames.Adopted));
        yield return new Measurement<long>(counters.Reset, new KeyValuePair<string, object?>(MetricNames.Result, MetricNames.ResetResult));
    }
}
