using System.Globalization;

namespace L4Balancer.Tests.Chaos;

/// <summary>
/// Compares each scrape with the one before of the same address: no counter goes back or vanishes, and nothing is below zero. A scrape may
/// share the collection of another one that began earlier, so that those of different addresses have no order. One thread at a time.
/// </summary>
internal sealed class MetricsWatch(Violations violations)
{
    private static readonly string[] CounterEndings = ["_total", "_count", "_sum", "_bucket"];

    private readonly Dictionary<bool, Dictionary<string, double>> _last = new() { [false] = [], [true] = [] };

    public int Scrapes { get; private set; }

    /// <param name="text">What was answered.</param>
    /// <param name="local">By the API instead of the port of the metrics.</param>
    public void Compare(string text, bool local)
    {
        var now = new Dictionary<string, double>();
        foreach (string line in text.Split('\n').Where(l => l.Length > 0 && l[0] != '#'))
        {
            int space = line.LastIndexOf(' ');
            double value = double.Parse(line.AsSpan(space + 1), CultureInfo.InvariantCulture);
            string series = line[..space];
            if (!now.TryAdd(series, value))
            {
                violations.Add($"the metrics have {series} twice");
            }

            if (value < 0)
            {
                violations.Add($"{series} is {value}");
            }
        }

        foreach ((string series, double before) in _last[local].Where(s => IsCounter(s.Key)))
        {
            if (!now.TryGetValue(series, out double value))
            {
                if (before > 0)
                {
                    violations.Add($"{series} was {before} and has vanished");
                }
            }
            else if (value < before)
            {
                violations.Add($"{series} went back from {before} to {value}");
            }
        }

        _last[local] = now;
        Scrapes++;
    }

    private static bool IsCounter(string series)
    {
        int brace = series.IndexOf('{', StringComparison.Ordinal);
        string name = brace < 0 ? series : series[..brace];
        return Array.Exists(CounterEndings, e => name.EndsWith(e, StringComparison.Ordinal));
    }
}
