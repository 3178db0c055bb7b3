using System.Globalization;

namespace L4Balancer.Bench.Reports;

/// <summary>The middle of the rounds, and their lowest and highest.</summary>
internal readonly record struct Spread(double Median, double Low, double High)
{
    /// <param name="values">One at least.</param>
    public static Spread Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        int middle = sorted.Length / 2;
        double median = sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        return new Spread(median, sorted[0], sorted[^1]);
    }

    public string Range(string format) =>
        string.Create(CultureInfo.InvariantCulture, $"{Low.ToString(format, CultureInfo.InvariantCulture)} .. {High.ToString(format, CultureInfo.InvariantCulture)}");
}
