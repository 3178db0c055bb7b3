using System.Diagnostics.Metrics;
using L4Balancer.Core.Dns;

namespace L4Balancer.Metrics;

/// <summary>The DNS questions by what became of them; all results exist at zero from the start.</summary>
internal sealed class DnsInstruments
{
    private readonly DnsCounters _counters;

    public DnsInstruments(Meter meter, DnsCounters counters)
    {
        _counters = counters;
        meter.CreateObservableCounter(MetricNames.DnsAnswers, Answers, null, "DNS messages received, by what became of them.");
    }

    private IEnumerable<Measurement<long>> Answers() => DnsCounters.Results.Select(
        r => new Measurement<long>(_counters[r], new KeyValuePair<string, object?>(MetricNames.Result, DnsCounters.NameOf(r))));
}
