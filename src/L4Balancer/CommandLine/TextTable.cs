using L4Balancer.Logging;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace L4Balancer.CommandLine;

/// <summary>A table: with lines on a terminal, otherwise aligned by spaces.</summary>
/// <param name="columns">The headings; a heading that starts with <c>&gt;</c> marks a right-aligned column of numbers.</param>
internal sealed class TextTable(params string[] columns)
{
    private const string Gap = "  ";

    private readonly List<string[]> _rows = [];

    /// <summary>A note below the table.</summary>
    public string? Note { get; init; }

    public void Add(params string[] cells) => _rows.Add([.. cells.Select(Printable)]);

    public void WritePlain(TextWriter output)
    {
        string[] headings = [.. columns.Select(c => c.TrimStart('>').ToUpperInvariant())];
        int[] widths = [.. headings.Select((h, i) => _rows.Select(r => r[i].Length).Append(h.Length).Max())];
        foreach (string[] row in _rows.Prepend(headings))
        {
            IEnumerable<string> cells = row.Select((cell, i) => columns[i][0] == '>' ? cell.PadLeft(widths[i]) : cell.PadRight(widths[i]));
            output.WriteLine(string.Join(Gap, cells).TrimEnd());
        }

        if (Note is not null)
        {
            output.WriteLine(Note);
        }
    }

    public IRenderable ToRenderable()
    {
        Table table = new Table().Border(TableBorder.Simple);
        foreach (string column in columns)
        {
            var heading = new TableColumn(new Text(column.TrimStart('>'), new Style(decoration: Decoration.Bold))).NoWrap();
            table.AddColumn(column[0] == '>' ? heading.RightAligned() : heading);
        }

        foreach (string[] row in _rows)
        {
            table.AddRow(row.Select(c => new Text(c, StyleOf(c)).Overflow(Overflow.Ellipsis)));
        }

        return Note is null ? table : new Rows(table, new Text(Note));
    }

    private static Style StyleOf(string cell) => cell switch
    {
        "up" or "ready" => new Style(Color.Green),
        "down" => new Style(Color.Red),
        "draining" or "maintenance" or "degraded" or "checking" => new Style(Color.Yellow),
        _ => Style.Plain,
    };

    // Control characters from a daemon must not reach the terminal.
    private static string Printable(string cell) => LogText.ForTerminal(cell);
}
