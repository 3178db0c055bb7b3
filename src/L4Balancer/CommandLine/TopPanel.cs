namespace L4Balancer.CommandLine;

/// <summary>One view of <c>top</c>: pools, backends, connections or events.</summary>
internal abstract class TopPanel
{
    /// <summary>Sorts by the name.</summary>
    public const char NameKey = 'N';

    /// <summary>The key that opens it.</summary>
    public required char Key { get; init; }

    public required string Title { get; init; }

    /// <summary>What can be done to the row under the cursor.</summary>
    public IReadOnlyList<TopAction> Actions { get; init; } = [];

    /// <summary>The keys that sort, with the headings of their columns.</summary>
    public abstract IEnumerable<(char Key, string Heading)> Sorts { get; }

    /// <param name="at">Where the view stands; it is moved to where it can stand.</param>
    /// <param name="rows">Lines there are for rows.</param>
    public abstract TopPage Page(TopFacts facts, TopPosition at, string filter, int width, int rows);
}

/// <summary>What of a view fits the screen.</summary>
/// <param name="Selected">What the cursor stands on; null without rows.</param>
/// <param name="Count">Rows that the filter leaves.</param>
/// <param name="Detail">All about the row that the cursor stands on, in words; empty without rows.</param>
/// <param name="Paints">Their lines: 0 is the heading, 1 the first row.</param>
internal sealed record TopPage(
    string Heading, IReadOnlyList<string> Lines, int First, int Cursor, int Count, string? Selected, string Detail, IReadOnlyList<TopPaint> Paints);

/// <summary>Where a view stands.</summary>
internal sealed class TopPosition
{
    public char Sort { get; set; }

    public bool IsReversed { get; set; }

    /// <summary>The first row that is shown.</summary>
    public int First { get; set; }

    public int Cursor { get; set; }

    public void Move(int rows, bool scrolls)
    {
        Cursor += rows;
        First += scrolls ? rows : 0;
    }

    public void Home() => First = Cursor = 0;

    /// <summary>Moves both to where they can be: the cursor on a row, and the row on the screen.</summary>
    public void Fit(int count, int rows)
    {
        Cursor = Math.Clamp(Cursor, 0, Math.Max(0, count - 1));
        First = Math.Clamp(First, 0, Math.Max(0, count - rows));
        First = Math.Clamp(First, Math.Max(0, Cursor - rows + 1), Cursor);
    }
}

/// <summary>A view over rows of one type.</summary>
internal sealed class TopPanel<T> : TopPanel
{
    public required IReadOnlyList<TopColumn<T>> Columns { get; init; }

    public required string NameHeading { get; init; }

    public required Func<TopFacts, IEnumerable<T>> Rows { get; init; }

    public required Func<T, string> Name { get; init; }

    /// <summary>What the filter looks at; case does not count.</summary>
    public required Func<T, string, bool> Fits { get; init; }

    /// <summary>What an action is done to, as the API names it.</summary>
    public required Func<T, string> Target { get; init; }

    /// <summary>All about a row, in words.</summary>
    public required Func<T, string> Detail { get; init; }

    /// <summary>The name stands behind the columns, and its beginning is kept.</summary>
    public bool IsNameLast { get; init; }

    public override IEnumerable<(char Key, string Heading)> Sorts => Columns.Select(static c => (c.Key, c.Heading)).Append((NameKey, NameHeading));

    public override TopPage Page(TopFacts facts, TopPosition at, string filter, int width, int rows)
    {
        T[] all = Sorted([.. Rows(facts).Where(r => Fits(r, filter))], at);
        at.Fit(all.Length, rows);
        TopColumn<T>[] columns = [.. Columns.Where(c => c.Narrowest <= width && (c.OnlyWhere is null || all.Any(c.OnlyWhere)))];
        int name = Math.Max(8, width - columns.Sum(static c => Math.Abs(c.Width) + 1));
        T[] shown = [.. all.Skip(at.First).Take(rows)];
        return new TopPage(
            Join(NameHeading, name, columns, static c => c.Heading), [.. shown.Select(r => Join(Name(r), name, columns, c => c.Cell(r)))],
            at.First, at.Cursor, all.Length, all.Length > 0 ? Target(all[at.Cursor]) : null, all.Length > 0 ? Detail(all[at.Cursor]) : "",
            Paints(shown, at.Sort, name, columns));
    }

    private List<TopPaint> Paints(T[] shown, char sort, int name, TopColumn<T>[] columns)
    {
        int start = IsNameLast ? 0 : name + 1;
        int heading = IsNameLast ? columns.Sum(static c => Math.Abs(c.Width) + 1) : 0;
        List<TopPaint> paints = sort == NameKey ? [new TopPaint(0, heading, NameHeading.Length, TopTone.Sorted)] : [];
        foreach (TopColumn<T> column in columns)
        {
            int width = Math.Abs(column.Width);
            if (column.Key == sort)
            {
                paints.Add(new TopPaint(0, column.Width < 0 ? start : start + width - column.Heading.Length, column.Heading.Length, TopTone.Sorted));
            }

            for (int i = 0; i < shown.Length; i++)
            {
                if (column.Tone?.Invoke(shown[i]) is { } tone)
                {
                    paints.Add(new TopPaint(i + 1, start, width, tone));
                }
            }

            start += width + 1;
        }

        return paints;
    }

    private T[] Sorted(T[] rows, TopPosition at)
    {
        IOrderedEnumerable<T> sorted = Columns.FirstOrDefault(c => c.Key == at.Sort) is TopColumn<T> by
            ? rows.OrderByDescending(by.Order).ThenBy(Name, StringComparer.Ordinal)
            : rows.OrderBy(Name, StringComparer.Ordinal);
        return at.IsReversed ? [.. sorted.Reverse()] : [.. sorted];
    }

    private string Join(string name, int width, TopColumn<T>[] columns, Func<TopColumn<T>, string> cell)
    {
        IEnumerable<string> cells = columns.Select(c => c.Width < 0 ? Fit(cell(c), -c.Width).PadRight(-c.Width) : cell(c).PadLeft(c.Width));
        return IsNameLast ? string.Join(' ', cells.Append(name)) : string.Join(' ', cells.Prepend(TopColumns.KeepEnd(name, width))).TrimEnd();
    }

    private static string Fit(string cell, int width) => cell.Length <= width ? cell : string.Concat(cell.AsSpan(0, width - 1), "…");
}
