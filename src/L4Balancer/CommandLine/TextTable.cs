using System.Globalization;
using System.Text;
using L4Balancer.Logging;

namespace L4Balancer.CommandLine;

/// <summary>
/// A table, aligned by spaces. A terminal gets as many of its columns as fit its width, with colour; a pipe or a file gets all of it.
/// </summary>
/// <param name="columns">The headings; a heading that starts with <c>&gt;</c> marks a right-aligned column of numbers.</param>
internal sealed class TextTable(params string[] columns)
{
    private const string Gap = "  ";
    private const string Cut = "…";
    private const string Plain = "\e[0m";
    private const string Bold = "\e[1m";

    private const int NarrowestCut = 8;

    /// <summary>A column of text is cut down to this width before it is left out.</summary>
    private const int WorthCutting = 16;

    private readonly List<string[]> _rows = [];

    /// <summary>A note below the table.</summary>
    public string? Note { get; set; }

    /// <summary>Headings of the columns that a narrow terminal is spared, in this order; those with nothing in them first.</summary>
    public IReadOnlyList<string> LeavesOut { get; init; } = [];

    /// <summary>A terminal gets the last column in lines below each other where it is too wide, not cut.</summary>
    public bool WrapsLast { get; init; }

    public void Add(params string[] cells) => _rows.Add([.. cells.Select(Printable)]);

    public void WritePlain(TextWriter output)
    {
        Write(output, [.. Enumerable.Range(0, columns.Length)], Widths(), isColoured: false);
        if (Note is not null)
        {
            output.WriteLine(Note);
        }
    }

    /// <param name="width">Columns of the terminal.</param>
    public void WriteFitting(TextWriter output, int width, bool isColoured)
    {
        int[] widths = Widths();
        List<int> shown = [.. Enumerable.Range(0, columns.Length)];
        int[] least = [.. widths.Select((w, i) => columns[i][0] != '>' && LeavesOut.Contains(columns[i]) ? Math.Min(w, WorthCutting) : w)];
        Drop(shown, least, width, i => _rows.TrueForAll(r => r[i] is "" or "-" or "0"));
        Drop(shown, least, width, static _ => true);
        if (WrapsLast)
        {
            int last = shown[^1];
            widths[last] = Math.Min(widths[last], Math.Max(NarrowestCut, width - (Total(shown, widths) - widths[last])));
        }

        while (Total(shown, widths) > width && shown.Where(i => columns[i][0] != '>').MaxBy(i => widths[i]) is int widest && widths[widest] > NarrowestCut)
        {
            widths[widest] = Math.Max(NarrowestCut, widths[widest] - (Total(shown, widths) - width));
        }

        Write(output, shown, widths, isColoured);
        if (Note is not null)
        {
            output.WriteLine(Note);
        }

        if (shown.Count < columns.Length)
        {
            output.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"{columns.Length - shown.Count} more columns do not fit: a wider terminal, a pipe or --json has them"));
        }
    }

    private void Drop(List<int> shown, int[] widths, int width, Func<int, bool> isDue)
    {
        foreach (string heading in LeavesOut)
        {
            int column = Array.FindIndex(columns, c => c.TrimStart('>') == heading);
            if (Total(shown, widths) > width && column >= 0 && shown.Contains(column) && isDue(column))
            {
                shown.Remove(column);
            }
        }
    }

    private void Write(TextWriter output, IReadOnlyList<int> shown, int[] widths, bool isColoured)
    {
        string[] headings = [.. columns.Select(static c => c.TrimStart('>').ToUpperInvariant())];
        output.WriteLine(isColoured ? $"{Bold}{Line(headings, shown, widths, false)}{Plain}" : Line(headings, shown, widths, false));
        foreach (string[] row in _rows)
        {
            string[] rest = WrapsLast ? [.. Wrapped(row[shown[^1]], widths[shown[^1]])] : [row[shown[^1]]];
            string[] first = [.. row];
            first[shown[^1]] = rest.Length > 0 ? rest[0] : "";
            output.WriteLine(Line(first, shown, widths, isColoured));
            foreach (string more in rest.Skip(1))
            {
                output.WriteLine(new string(' ', Total(shown, widths) - widths[shown[^1]]) + more);
            }
        }
    }

    private string Line(string[] row, IReadOnlyList<int> shown, int[] widths, bool isColoured)
    {
        StringBuilder line = new();
        int last = shown[^1];
        foreach (int i in shown)
        {
            bool isNumber = columns[i][0] == '>';
            string cell = Fit(row[i], widths[i], keepsEnd: i == 0);
            string filled = isNumber ? cell.PadLeft(widths[i]) : i == last ? cell : cell.PadRight(widths[i]);
            string? colour = isColoured ? ColourOf(row[i]) : null;
            line.Append(colour is null ? filled : $"{colour}{filled}{Plain}").Append(i == last ? "" : Gap);
        }

        return line.ToString().TrimEnd();
    }

    private int[] Widths() => [.. columns.Select((c, i) => _rows.Select(r => r[i].Length).Append(c.TrimStart('>').Length).Max())];

    private static int Total(List<int> shown, int[] widths) => Total((IReadOnlyList<int>)shown, widths);

    private static int Total(IReadOnlyList<int> shown, int[] widths) => shown.Sum(i => widths[i]) + (Gap.Length * (shown.Count - 1));

    // Names of one pool differ at their end.
    private static string Fit(string cell, int width, bool keepsEnd) =>
        cell.Length <= width ? cell : keepsEnd ? Cut + cell[^(width - 1)..] : cell[..(width - 1)] + Cut;

    public static List<string> Wrapped(string text, int width)
    {
        List<string> lines = [];
        foreach (string word in text.Split(' '))
        {
            if (lines.Count > 0 && lines[^1].Length + 1 + word.Length <= width)
            {
                lines[^1] += $" {word}";
            }
            else
            {
                lines.Add(word);
            }
        }

        return lines;
    }

    private static string? ColourOf(string cell) => cell switch
    {
        "up" or "ready" => "\e[32m",
        "down" or "error" => "\e[31m",
        "draining" or "maintenance" or "degraded" or "checking" or "warning" => "\e[33m",
        _ => null,
    };

    // Control characters from a daemon must not reach the terminal.
    private static string Printable(string cell) => LogText.ForTerminal(cell);
}
