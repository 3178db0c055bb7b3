using System.Globalization;

namespace L4Balancer.Tests.Metrics;

/// <summary>Looks at one exposition after the other as Prometheus would. One thread at a time.</summary>
internal sealed class CounterWatch
{
    private readonly Dictionary<string, double> _last = [];
    private readonly List<string> _faults = [];
    private volatile int _looks;

    public int Looks => _looks;

    /// <summary>How many counters there were.</summary>
    public int Series => _last.Count;

    /// <summary>Series that came twice in one text, and counters that stepped back; the first few.</summary>
    public IEnumerable<string> Faults => _faults.Take(10);

    public void Look(string text)
    {
        var seen = new HashSet<string>();
        foreach (string line in text.Split('\n').Where(l => l.Length > 0 && l[0] != '#'))
        {
            int space = line.LastIndexOf(' ');
            string series = line[..space];
            if (!seen.Add(series))
            {
                _faults.Add($"look {_looks}: {series} comes twice");
            }

            if (IsCounter(series))
            {
                double value = double.Parse(line.AsSpan(space + 1), CultureInfo.InvariantCulture);
                if (_last.TryGetValue(series, out double before) && value < before)
                {
                    _faults.Add($"look {_looks}: {series} steps back from {before} to {value}");
                }

                _last[series] = value;
            }
        }

        _looks++;
    }

    private static bool IsCounter(string series)
    {
        string name = series.Split('{')[0];
        return name.EndsWith("_total", StringComparison.Ordinal) || name.EndsWith("_bucket", StringComparison.Ordinal)
            || name.EndsWith("_count", StringComparison.Ordinal);
    }
}
