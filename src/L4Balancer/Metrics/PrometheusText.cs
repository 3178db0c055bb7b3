using System.Buffers;
using System.Globalization;
using System.Text;

namespace L4Balancer.Metrics;

/// <summary>
/// Writes families and samples in the Prometheus text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats) or in
/// OpenMetrics 1.0.0. UTF-8 straight into the output; nothing is allocated per sample. One caller at a time.
/// </summary>
internal sealed class PrometheusText(IBufferWriter<byte> output, ExpositionFormat format)
{
    private const string TotalSuffix = "_total";

    // A double in its shortest form that reads back the same has at most 24 characters, a long 20.
    private const int LongestNumber = 32;

    public static string ContentType(ExpositionFormat format) => format == ExpositionFormat.OpenMetrics
        ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
        : "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>The HELP and TYPE lines. The samples of a family follow it directly.</summary>
    /// <param name="name">As published, a counter's with its <c>_total</c>; OpenMetrics names the family without.</param>
    public void Family(string name, string help, FamilyType type)
    {
        bool shortened = format == ExpositionFormat.OpenMetrics && type == FamilyType.Counter;
        string family = shortened && name.EndsWith(TotalSuffix, StringComparison.Ordinal) ? name[..^TotalSuffix.Length] : name;
        if (help.Length > 0)
        {
            Raw("# HELP ");
            Raw(family);
            Raw(" ");
            Escaped(help, quotes: format == ExpositionFormat.OpenMetrics);
            Raw("\n");
        }

        Raw("# TYPE ");
        Raw(family);
        Raw(type switch
        {
            FamilyType.Counter => " counter\n",
            FamilyType.Gauge => " gauge\n",
            _ => " histogram\n",
        });
    }

    public void Sample(string name, string suffix, ReadOnlySpan<KeyValuePair<string, object?>> labels, long value)
    {
        Series(name, suffix, labels, upperBound: null);
        Number(value);
        Raw("\n");
    }

    public void Sample(string name, string suffix, ReadOnlySpan<KeyValuePair<string, object?>> labels, double value)
    {
        Series(name, suffix, labels, upperBound: null);
        Number(value);
        Raw("\n");
    }

    /// <summary>One bucket of a histogram.</summary>
    /// <param name="count">Of every value up to and including the bound: buckets are cumulative.</param>
    public void Bucket(string name, ReadOnlySpan<KeyValuePair<string, object?>> labels, double upperBound, long count)
    {
        Series(name, "_bucket", labels, upperBound);
        Number(count);
        Raw("\n");
    }

    /// <summary>OpenMetrics demands a last line, by which a cut-off answer is recognised.</summary>
    public void End()
    {
        if (format == ExpositionFormat.OpenMetrics)
        {
            Raw("# EOF\n");
        }
    }

    private void Series(string name, string suffix, ReadOnlySpan<KeyValuePair<string, object?>> labels, double? upperBound)
    {
        Raw(name);
        Raw(suffix);
        string separator = "{";
        foreach (KeyValuePair<string, object?> label in labels)
        {
            Raw(separator);
            Raw(label.Key);
            Raw("=\"");
            Escaped(Convert.ToString(label.Value, CultureInfo.InvariantCulture) ?? "", quotes: true);
            Raw("\"");
            separator = ",";
        }

        if (upperBound is double bound)
        {
            Raw(separator);
            Raw("le=\"");
            Bound(bound);
            Raw("\"");
            separator = ",";
        }

        Raw(separator == "," ? "} " : " ");
    }

    private void Number(long value)
    {
        Span<byte> span = output.GetSpan(LongestNumber);
        value.TryFormat(span, out int written, default, CultureInfo.InvariantCulture);
        output.Advance(written);
    }

    private void Number(double value)
    {
        if (double.IsFinite(value))
        {
            Span<byte> span = output.GetSpan(LongestNumber);
            value.TryFormat(span, out int written, default, CultureInfo.InvariantCulture);
            output.Advance(written);
            return;
        }

        Raw(double.IsNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
    }

    // OpenMetrics wants bounds that are whole numbers as "1.0".
    private void Bound(double bound)
    {
        Number(bound);
        if (format == ExpositionFormat.OpenMetrics && double.IsInteger(bound))
        {
            Raw(".0");
        }
    }

    private void Escaped(string text, bool quotes)
    {
        ReadOnlySpan<char> rest = text;
        ReadOnlySpan<char> special = quotes ? "\\\n\"" : "\\\n";
        for (int at = rest.IndexOfAny(special); at >= 0; at = rest.IndexOfAny(special))
        {
            Raw(rest[..at]);
            Raw(rest[at] switch
            {
                '\n' => @"\n",
                '"' => "\\\"",
                _ => @"\\",
            });
            rest = rest[(at + 1)..];
        }

        Raw(rest);
    }

    private void Raw(ReadOnlySpan<char> text)
    {
        // At most three bytes of UTF-8 for each of UTF-16.
        Span<byte> span = output.GetSpan(text.Length * 3);
        output.Advance(Encoding.UTF8.GetBytes(text, span));
    }
}
