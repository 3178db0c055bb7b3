using System.Buffers;
using System.Diagnostics.Metrics;
using System.Text;
using L4Balancer.Metrics;

namespace L4Balancer.Tests.Metrics;

/// <summary>The exposition formats, through real OpenTelemetry instruments.</summary>
internal sealed class PrometheusTextTests
{
    private static readonly string MeterName = nameof(PrometheusTextTests);

    [Test]
    public void A_counter_has_its_help_its_type_and_a_line_per_series()
    {
        string text = Expose(ExpositionFormat.Prometheus, meter => meter.CreateObservableCounter(
            "app_requests_total",
            () => new[]
            {
                new Measurement<long>(3, new KeyValuePair<string, object?>("code", "200")),
                new Measurement<long>(1, new KeyValuePair<string, object?>("pool", "a"), new KeyValuePair<string, object?>("code", "500")),
            },
            null, "Requests."));
        Assert.That(text, Is.EqualTo("""
            # HELP app_requests_total Requests.
            # TYPE app_requests_total counter
            app_requests_total{code="200"} 3
            app_requests_total{pool="a",code="500"} 1

            """));
    }

    [Test]
    public void OpenMetrics_names_a_counter_family_without_its_suffix_and_ends_with_EOF()
    {
        string text = Expose(ExpositionFormat.OpenMetrics, meter => meter.CreateObservableCounter(
            "app_requests_total", () => 7L, null, "Requests."));
        Assert.That(text, Is.EqualTo("""
            # HELP app_requests Requests.
            # TYPE app_requests counter
            app_requests_total 7
            # EOF

            """));
    }

    [Test]
    public void Label_values_and_help_are_escaped()
    {
        string text = Expose(ExpositionFormat.Prometheus, meter => meter.CreateObservableGauge(
            "app_state", () => new Measurement<long>(1, new KeyValuePair<string, object?>("name", "a\"b\\c\nd é")), null, "One\\two\nlines."));
        Assert.That(text, Is.EqualTo(
            "# HELP app_state One\\\\two\\nlines.\n# TYPE app_state gauge\napp_state{name=\"a\\\"b\\\\c\\nd é\"} 1\n"));
    }

    [TestCase(double.NaN, "NaN")]
    [TestCase(double.PositiveInfinity, "+Inf")]
    [TestCase(double.NegativeInfinity, "-Inf")]
    [TestCase(0.1, "0.1")]
    [TestCase(-2, "-2")]
    [TestCase(1e300, "1E+300")]
    public void A_number_reads_back_as_what_it_was(double value, string expected)
    {
        string text = Expose(ExpositionFormat.Prometheus, meter => meter.CreateObservableGauge("app_ratio", () => value));
        Assert.That(text, Is.EqualTo($"# TYPE app_ratio gauge\napp_ratio {expected}\n"));
    }

    [Test]
    public void The_buckets_of_a_histogram_are_cumulative_and_end_with_infinity()
    {
        string text = Expose(ExpositionFormat.Prometheus, meter =>
        {
            Histogram<double> histogram = Seconds(meter);
            var pool = new KeyValuePair<string, object?>("pool", "a");
            foreach (double value in new[] { 0.25, 0.5, 1, 100 })
            {
                histogram.Record(value, pool);
            }
        });
        Assert.That(text, Is.EqualTo("""
            # HELP app_seconds Time.
            # TYPE app_seconds histogram
            app_seconds_bucket{pool="a",le="0.5"} 2
            app_seconds_bucket{pool="a",le="1"} 3
            app_seconds_bucket{pool="a",le="+Inf"} 4
            app_seconds_sum{pool="a"} 101.75
            app_seconds_count{pool="a"} 4

            """));
    }

    [Test]
    public void OpenMetrics_writes_whole_bounds_with_a_fraction()
    {
        string text = Expose(ExpositionFormat.OpenMetrics, meter => Seconds(meter).Record(3));
        Assert.That(text, Does.Contain("le=\"1.0\"").And.Contain("le=\"0.5\"").And.Contain("le=\"+Inf\""));
    }

    [Test]
    public void A_series_that_is_no_longer_told_is_gone()
    {
        using var meter = new Meter(MeterName);
        using var reader = new PrometheusReader(meter);
        int[] told = [1];
        meter.CreateObservableGauge("app_state", () => told.Select(v => new Measurement<long>(v)));
        Assert.That(Text(), Does.Contain("app_state 1\n"));
        told = [];
        Assert.That(Text(), Is.Empty);

        string Text()
        {
            var output = new ArrayBufferWriter<byte>();
            reader.Write(output, ExpositionFormat.Prometheus);
            return Encoding.UTF8.GetString(output.WrittenSpan);
        }
    }

    [Test]
    public void An_instrument_that_throws_is_no_half_answer()
    {
        Assert.That(
            () => Expose(ExpositionFormat.Prometheus, meter => meter.CreateObservableGauge("app_state", Fails)),
            Throws.TypeOf<AggregateException>());

        static long Fails() => throw new InvalidOperationException("a fault");
    }

    [Test]
    public void An_instrument_without_a_series_leaves_no_trace()
    {
        string text = Expose(ExpositionFormat.Prometheus, meter => meter.CreateObservableCounter(
            "app_requests_total", Enumerable.Empty<Measurement<long>>, null, "Requests."));
        Assert.That(text, Is.Empty);
    }

    private static Histogram<double> Seconds(Meter meter) => meter.CreateHistogram(
        "app_seconds", null, "Time.", null, new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.5, 1] });

    private static string Expose(ExpositionFormat format, Action<Meter> instruments)
    {
        using var meter = new Meter(MeterName);
        using var reader = new PrometheusReader(meter);
        instruments(meter);
        var output = new ArrayBufferWriter<byte>();
        reader.Write(output, format);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
