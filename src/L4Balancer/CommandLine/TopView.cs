using System.Globalization;
using L4Balancer.Logging;

namespace L4Balancer.CommandLine;

/// <summary>
/// What <c>top</c> shows, as lines of text: a fixed head, as many backends as fit below it, and a line of keys. Knows nothing of the terminal but
/// its size. One thread uses it.
/// </summary>
internal sealed class TopView
{
    /// <summary>Two lines of state, one that is empty or has the filter, and the headings.</summary>
    private const int HeadLines = 4;

    private const string Keys = "q quit  ? help  / filter";

    private static readonly string[] Help =
    [
        "Keys:",
        "  q, Ctrl-C            quit",
        "  /                    filter by part of the name, address or state; Enter keeps it, Esc clears it",
        $"  a n c i p o s w h {TopColumns.NameKey}  sort by active, new, closed, in, packets, out, state, weight, share, name; again: the other way round",
        "  Up, Down, PgUp, PgDn, Home, End   scroll",
        "  ?                    this help; any key leaves it",
    ];

    private TopSample? _sample;
    private string _filter = "";
    private char _sort = 'a';
    private bool _reversed;
    private bool _isHelp;
    private bool _isTyping;
    private int _first;
    private int _page = 1;

    /// <summary><c>q</c> was pressed.</summary>
    public bool IsEnded { get; private set; }

    public void Show(TopSample sample) => _sample = sample;

    public void Press(ConsoleKeyInfo key)
    {
        if (_isHelp)
        {
            _isHelp = false;
        }
        else if (_isTyping)
        {
            Type(key);
        }
        else
        {
            Command(key);
        }
    }

    /// <returns>At most <paramref name="height"/> lines of at most <paramref name="width"/> characters. The line at <see cref="HeadingLine"/> is the
    /// one of the headings.</returns>
    public IReadOnlyList<string> Lines(int width, int height)
    {
        List<string> lines = _isHelp ? [.. Help] : Table(width, height);
        return [.. lines.Take(height).Select(l => Fit(LogText.ForTerminal(l), width))];
    }

    /// <summary>Index of the line with the headings; -1 while there is none.</summary>
    public int HeadingLine => _isHelp || _sample is null ? -1 : HeadLines - 1;

    private List<string> Table(int width, int height)
    {
        if (_sample is null)
        {
            return ["waiting for the daemon ..."];
        }

        TopRow[] rows = Sorted([.. _sample.Rows.Where(r => r.Has(_filter))]);
        _page = Math.Max(1, height - HeadLines - 1);
        _first = Math.Clamp(_first, 0, Math.Max(0, rows.Length - _page));
        TopColumn[] columns = TopColumns.Of(width);
        int name = Math.Max(8, width - columns.Sum(c => Math.Abs(c.Width) + 1));
        (string state, string rates) = _sample.Heading();
        List<string> lines =
        [
            state,
            rates,
            _isTyping || _filter.Length > 0 ? $"filter: {_filter}{(_isTyping ? "_" : "")}" : "",
            Join("BACKEND".PadRight(name), columns, c => c.Heading),
        ];
        lines.AddRange(rows.Skip(_first).Take(_page).Select(r => Join(KeepEnd(r.Name, name), columns, c => c.Cell(r))));
        while (lines.Count < height - 1)
        {
            lines.Add("");
        }

        int last = Math.Min(rows.Length, _first + _page);
        lines.Add(string.Create(CultureInfo.InvariantCulture, $"{(rows.Length == 0 ? 0 : _first + 1)}-{last} of {rows.Length}   {Keys}"));
        return lines;
    }

    private TopRow[] Sorted(TopRow[] rows)
    {
        IOrderedEnumerable<TopRow> sorted = TopColumns.All.FirstOrDefault(c => c.Key == _sort) is TopColumn by
            ? rows.OrderByDescending(by.Order).ThenBy(r => r.Name, StringComparer.Ordinal)
            : rows.OrderBy(r => r.Name, StringComparer.Ordinal);
        return _reversed ? [.. sorted.Reverse()] : [.. sorted];
    }

    private void Command(ConsoleKeyInfo key)
    {
        switch (key.Key)
        {
            case ConsoleKey.UpArrow:
                _first--;
                return;
            case ConsoleKey.DownArrow:
                _first++;
                return;
            case ConsoleKey.PageUp:
                _first -= _page;
                return;
            case ConsoleKey.PageDown:
                _first += _page;
                return;
            case ConsoleKey.Home:
                _first = 0;
                return;
            case ConsoleKey.End:
                _first = int.MaxValue - _page;
                return;
            case ConsoleKey.Escape:
                _filter = "";
                return;
            default:
                break;
        }

        char pressed = key.KeyChar;
        IsEnded |= pressed is 'q' or 'Q';
        _isHelp = pressed == '?';
        _isTyping = pressed == '/';
        if (pressed == TopColumns.NameKey || TopColumns.All.Any(c => c.Key == pressed))
        {
            _reversed = pressed == _sort && !_reversed;
            _sort = pressed;
            _first = 0;
        }
    }

    private void Type(ConsoleKeyInfo key)
    {
        switch (key.Key)
        {
            case ConsoleKey.Enter:
                _isTyping = false;
                break;
            case ConsoleKey.Escape:
                _isTyping = false;
                _filter = "";
                break;
            case ConsoleKey.Backspace:
                _filter = _filter.Length > 0 ? _filter[..^1] : "";
                break;
            default:
                _filter += char.IsControl(key.KeyChar) ? "" : key.KeyChar;
                break;
        }

        _first = 0;
    }

    private static string Join(string name, TopColumn[] columns, Func<TopColumn, string> cell) =>
        string.Concat(columns.Select(c => " " + (c.Width < 0 ? cell(c).PadRight(-c.Width) : cell(c).PadLeft(c.Width))).Prepend(name)).TrimEnd();

    // Names of one pool differ at their end.
    private static string KeepEnd(string text, int width) =>
        text.Length <= width ? text.PadRight(width) : string.Concat("…", text.AsSpan(text.Length - width + 1));

    private static string Fit(string text, int width) => text.Length <= width ? text : text[..width];
}
