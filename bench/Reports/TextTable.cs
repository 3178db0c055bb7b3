namespace L4Balancer.Bench.Reports;

/// <summary>Lines of cells, aligned when printed: the first column to the left, the others to the right.</summary>
internal sealed class TextTable(params string[] header)
{
    private readonly List<string[]> _lines = [header];

    public void Add(params string[] cells) => _lines.Add(cells);

    public void Print()
    {
        int columns = _lines.Max(l => l.Length);
        int[] widths = [.. Enumerable.Range(0, columns).Select(c => _lines.Where(l => l.Length > c && l.Length == columns).Max(l => l[c].Length))];
        foreach (string[] line in _lines)
        {
            // A line with fewer cells is a remark: its last cell runs on.
            IEnumerable<string> cells = line.Select((cell, c) => c == 0 ? cell.PadRight(widths[0])
                : c == line.Length - 1 && line.Length < columns ? cell
                : cell.PadLeft(widths[c]));
            Console.WriteLine("  " + string.Join("  ", cells).TrimEnd());
        }

        Console.WriteLine();
    }
}
