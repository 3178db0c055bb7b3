using Spectre.Console;
using Spectre.Console.Rendering;

namespace L4Balancer.CommandLine;

/// <summary>Rows and columns: with lines for a terminal, aligned by blanks for everything else.</summary>
/// <param name="columns">Their headings; one that begins with <c>&gt;</c> is of numbers, which end under each other.</param>
internal sealed class TextTable(params string[] columns)
{
    private const string Gap = "  ";

    private readonly List<string[]> _rows = [];

    /// <summary>Below the table.</summary>
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
        "draining" or "maintenance" or "degraded" => new Style(Color.Yellow),
        _ => Style.Plain,
    };

    // What a daemon says must not steer the terminal.
    private static string Printable(string cell) => string.Concat(cell.Select(c => char.IsControl(c) ? '?' : c));
}
