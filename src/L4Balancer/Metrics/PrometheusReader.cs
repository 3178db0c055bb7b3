using System.Buffers;
using System.Diagnostics.Metrics;

namespace L4Balancer.Metrics;

/// <summary>
/// Reads the instruments of one meter when someone asks, and writes what they say as text on the way: a counter or a gauge is kept
/// nowhere but in the cell that it observes, so a series ends when its instrument no longer tells it, and there may be as many as
/// there are. Histograms add up here, from the first record on. Why it is no reader of the OpenTelemetry SDK:
/// docs/decisions/0001-prometheus-text.md. Any thread may ask; collections come one at a time.
/// </summary>
internal sealed class PrometheusReader : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly List<Family> _histograms = [];
    private readonly Lock _collecting = new();
    private PrometheusText? _text;
    private Family? _writing;

    /// <param name="meter">Its instruments must not be there yet.</param>
    public PrometheusReader(Meter meter)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter == meter)
            {
                listener.EnableMeasurementEvents(instrument, FamilyOf(instrument));
            }
        };
        _listener.SetMeasurementEventCallback<long>(OnLong);
        _listener.SetMeasurementEventCallback<double>(OnDouble);
        _listener.Start();
    }

    /// <summary>Observes every instrument now and writes the whole exposition.</summary>
    /// <exception cref="AggregateException">An instrument could not be observed; what was written is then not to be used.</exception>
    public void Write(IBufferWriter<byte> output, ExpositionFormat format)
    {
        lock (_collecting)
        {
            _text = new PrometheusText(output, format);
            try
            {
                _listener.RecordObservableInstruments();
                foreach (Family family in _histograms)
                {
                    family.Histogram!.Write(_text, family.Name, family.Help);
                }

                _text.End();
            }
            finally
            {
                _text = null;
                _writing = null;
            }
        }
    }

    public void Dispose() => _listener.Dispose();

    private Family FamilyOf(Instrument instrument)
    {
        string help = instrument.Description ?? "";
        if (instrument is Histogram<double> histogram)
        {
            IReadOnlyList<double> bounds = histogram.Advice?.HistogramBucketBoundaries
                ?? throw new ArgumentException($"{instrument.Name} says no bounds", nameof(instrument));
            var family = new Family(instrument.Name, help, FamilyType.Histogram, new HistogramFamily([.. bounds]));
            _histograms.Add(family);
            return family;
        }

        return new Family(instrument.Name, help, TypeOf(instrument), null);
    }

    private static FamilyType TypeOf(Instrument instrument) => instrument switch
    {
        ObservableCounter<long> or ObservableCounter<double> => FamilyType.Counter,
        ObservableGauge<long> or ObservableGauge<double> => FamilyType.Gauge,
        _ => throw new ArgumentException($"{instrument.Name} is a {instrument.GetType().Name}, which has no text here", nameof(instrument)),
    };

    private void OnLong(Instrument instrument, long value, ReadOnlySpan<KeyValuePair<string, object?>> labels, object? state)
    {
        var family = (Family)state!;
        Begin(family)?.Sample(family.Name, "", labels, value);
    }

    private void OnDouble(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> labels, object? state)
    {
        var family = (Family)state!;
        if (family.Histogram is HistogramFamily histogram)
        {
            histogram.Record(value, labels);
        }
        else
        {
            Begin(family)?.Sample(family.Name, "", labels, value);
        }
    }

    // An instrument tells all of its series before the next one does; one that has none leaves no trace.
    private PrometheusText? Begin(Family family)
    {
        if (_writing != family)
        {
            _text?.Family(family.Name, family.Help, family.Type);
            _writing = family;
        }

        return _text;
    }

    private sealed record Family(string Name, string Help, FamilyType Type, HistogramFamily? Histogram);
}
