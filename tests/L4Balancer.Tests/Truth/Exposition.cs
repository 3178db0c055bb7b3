using System.Globalization;

namespace L4Balancer.Tests.Truth;

/// <summary>One scrape of <c>/metrics</c>, to be asked by name and labels.</summary>
internal sealed class Exposition
{
    private readonly List<(string Name, Dictionary<string, string> Labels, double Value)> _samples = [];

    public Exposition(string text)
    {
        foreach (string line in text.Split('\n').Where(l => l.Length > 0 && l[0] != '#'))
        {
            int space = line.LastIndexOf(' ');
            int brace = line.IndexOf('{', StringComparison.Ordinal);
            string name = line[..(brace < 0 ? space : brace)];
            string[] labels = brace < 0 || brace == space - 2 ? [] : line[(brace + 1)..(space - 1)].Split(',');
            _samples.Add((
                name, labels.Select(l => l.Split('=')).ToDictionary(l => l[0], l => l[1].Trim('"')),
                double.Parse(line.AsSpan(space + 1), CultureInfo.InvariantCulture)));
        }
    }

    /// <summary>Of all series of that name which have these labels (<c>pool=chat</c>); 0 where there is none.</summary>
    public double Sum(string name, params string[] labels) => Find(name, labels).Sum(s => s.Value);

    /// <summary>The values of one label over all series of that name which have the other labels, with their sums; zeros left out.</summary>
    public SortedDictionary<string, double> By(string label, string name, params string[] labels)
    {
        var sums = new SortedDictionary<string, double>(StringComparer.Ordinal);
        foreach ((_, Dictionary<string, string> found, double value) in Find(name, labels).Where(s => s.Value != 0))
        {
            sums[found[label]] = sums.GetValueOrDefault(found[label]) + value;
        }

        return sums;
    }

    private IEnumerable<(string Name, Dictionary<string, string> Labels, double Value)> Find(string name, string[] labels) =>
        _samples.Where(s => s.Name == "l4balancer_" + name
            && labels.Select(l => l.Split('=')).All(l => s.Labels.GetValueOrDefault(l[0]) == l[1]));
}
