using System.Globalization;
using System.Text;
using L4Balancer.Logging;

namespace L4Balancer.CommandLine;

/// <summary>
/// What <c>top</c> shows, as lines of text: a fixed head, as many rows of the open view as fit below it, and a line of keys. Knows nothing of the terminal
/// but its size. One thread uses it.
/// </summary>
internal sealed class TopView
{
    /// <summary>Two lines of state, one with the views or the filter, and the headings.</summary>
    private const int HeadLines = 4;

    /// <summary>What is said of the row under the cursor, asked, or answered, above the line of keys; not on a screen of few lines.</summary>
    private const int MostDetailLines = 2;

    private const int FewLines = 12;

    private const int FirstPanel = 1;

    private const string Between = "  ";

    private static readonly (char Key, string Verb)[] Keys = [('q', "quit"), ('?', "help"), ('/', "filter")];

    private readonly TopPosition[] _positions = [.. TopPanels.All.Select(static p => new TopPosition { Sort = FirstSortOf(p) })];
    private TopFacts? _facts;
    private int _open = FirstPanel;
    private TopPage? _page;
    private int _rows = 1;
    private string _filter = "";
    private string _message = "";
    private (TopAction Action, string Target)? _asked;
    private TopRequest? _request;
    private bool _isHelp;
    private bool _isTyping;

    /// <summary><c>q</c> was pressed.</summary>
    public bool IsEnded { get; private set; }

    /// <summary>The view that is open.</summary>
    public TopPanel Panel => TopPanels.All[_open];

    /// <summary>The key by which it is sorted.</summary>
    public char Sort => At.Sort;

    /// <summary>Index of the line with the headings; -1 while there is none.</summary>
    public int HeadingLine => _isHelp || _facts is null ? -1 : HeadLines - 1;

    /// <summary>Index of the line with the cursor; -1 while there is none.</summary>
    public int CursorLine => _isHelp || _page?.Selected is null ? -1 : HeadLines + _page.Cursor - _page.First;

    /// <summary>What of the lines is shown in a tone.</summary>
    public IReadOnlyList<TopPaint> Paints { get; private set; } = [];

    private TopPosition At => _positions[_open];

    public void Show(TopSample sample) => Show(new TopFacts(sample));

    public void Show(TopFacts facts) => _facts = facts;

    /// <summary>Shows a message until the next key.</summary>
    public void Tell(string message) => _message = message;

    /// <summary>What was asked for and confirmed since the last call; null if nothing was.</summary>
    public TopRequest? TakeRequest()
    {
        TopRequest? request = _request;
        _request = null;
        return request;
    }

    public void Press(ConsoleKeyInfo key)
    {
        _message = "";
        if (_isHelp)
        {
            _isHelp = false;
        }
        else if (_asked is { } asked)
        {
            Answer(asked.Action, asked.Target, key.KeyChar);
        }
        else if (_isTyping)
        {
            Type(key);
        }
        else if (!Move(key.Key))
        {
            Command(key.KeyChar);
        }
    }

    /// <returns>At most <paramref name="height"/> lines of at most <paramref name="width"/> characters. The line at <see cref="HeadingLine"/> is the
    /// one of the headings.</returns>
    public IReadOnlyList<string> Lines(int width, int height)
    {
        Paints = [];
        List<string> lines = _isHelp ? Help() : Table(width, height);
        return [.. lines.Take(height).Select(l => Fit(LogText.ForTerminal(l), width))];
    }

    private List<string> Table(int width, int height)
    {
        if (_facts is null)
        {
            return ["waiting for the daemon ..."];
        }

        int details = height >= FewLines ? MostDetailLines : 0;
        _rows = Math.Max(1, height - HeadLines - details - 1);
        _page = Panel.Page(_facts, At, _filter, width, _rows);
        (string state, string trouble, string rates) = _facts.Sample.Heading();
        List<TopPaint> paints = [new(0, state.Length + Between.Length, trouble.Length, TopTone.Bad)];
        List<string> lines = [state + Between + trouble, rates, ThirdLine(paints), _page.Heading, .. _page.Lines];
        paints.AddRange(_page.Paints.Select(static p => p with { Line = p.Line + HeadLines - 1 }));
        while (lines.Count < height - details - 1)
        {
            lines.Add("");
        }

        if (details > 0)
        {
            string[] said = [.. TextTable.Wrapped(LogText.ForTerminal(Said()), Math.Max(1, width)).Take(details)];
            lines.AddRange(said.Concat(Enumerable.Repeat("", details - said.Length)));
            paints.AddRange(_asked is null ? [] : Enumerable.Range(height - details - 1, details).Select(l => new TopPaint(l, 0, width, TopTone.Warning)));
        }

        lines.Add(LastLine(_page, details == 0, lines.Count, paints));
        Paints = paints;
        return lines;
    }

    private string ThirdLine(List<TopPaint> paints)
    {
        if (_isTyping || _filter.Length > 0)
        {
            return $"filter: {_filter}{(_isTyping ? "_" : "")}";
        }

        string[] views = [.. TopPanels.All.Select((p, i) => i == _open ? $"[{p.Key} {p.Title}]" : $" {p.Key} {p.Title} ")];
        paints.Add(new TopPaint(2, views[.._open].Sum(static v => v.Length + Between.Length), views[_open].Length, TopTone.Key));
        return string.Join(Between, views);
    }

    // A question, the answer to what was done, or all about the row under the cursor.
    private string Said() => _asked is not null ? Question() : _message.Length > 0 ? _message : _page?.Detail ?? "";

    private string Question() => _asked is { } asked ? $"{string.Format(CultureInfo.InvariantCulture, asked.Action.Question, asked.Target)}?" : "";

    private string LastLine(TopPage page, bool isCrowded, int line, List<TopPaint> paints)
    {
        if (_asked is not null)
        {
            paints.Add(new TopPaint(line, 0, 1, TopTone.Key));
            return $"y: yes, other keys: no{(isCrowded ? $".  {Question()}" : "")}";
        }

        if (isCrowded && _message.Length > 0)
        {
            return _message;
        }

        int last = Math.Min(page.Count, page.First + _rows);
        string more = Panel.Key == TopPanels.Connections && _facts!.AllConnections > _facts.Connections.Count
            ? string.Create(CultureInfo.InvariantCulture, $" (of {_facts.AllConnections})") : "";
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{(page.Count == 0 ? 0 : page.First + 1)}-{last} of {page.Count}{more} ");
        foreach ((char key, string verb) in Keys.Concat(Panel.Actions.Select(static a => (a.Key, a.Verb))))
        {
            paints.Add(new TopPaint(line, text.Length + Between.Length, 1, TopTone.Key));
            text.Append(Between).Append(key).Append(' ').Append(verb);
        }

        return text.ToString();
    }

    private List<string> Help() =>
    [
        "Keys:",
        "  q, Ctrl-C            quit",
        $"  {string.Join(' ', TopPanels.All.Select(static p => p.Key))}, Tab         {string.Join(", ", TopPanels.All.Select(static p => p.Title))}",
        "  /                    filter by what a row shows; Enter keeps it, Esc clears it",
        "  Up, Down, PgUp, PgDn, Home, End",
        "                       move the cursor; below the rows stands all about its row",
        "  ?                    this help; any key leaves it",
        "",
        $"Sort the {Panel.Title} (again: the other way round):",
        .. Panel.Sorts.Chunk(6).Select(static some => "  " + string.Join("  ", some.Select(static s => $"{s.Key} {s.Heading.ToLowerInvariant()}"))),
        "",
        .. Panel.Actions.Count == 0 ? [] : (string[])["Change what the cursor stands on, after a question:"],
        .. Panel.Actions.Select(static a => $"  {a.Key}   {string.Format(CultureInfo.InvariantCulture, a.Question, "it")}"),
    ];

    private bool Move(ConsoleKey key)
    {
        switch (key)
        {
            case ConsoleKey.UpArrow:
                At.Move(-1, scrolls: false);
                return true;
            case ConsoleKey.DownArrow:
                At.Move(1, scrolls: false);
                return true;
            case ConsoleKey.PageUp:
                At.Move(-_rows, scrolls: true);
                return true;
            case ConsoleKey.PageDown:
                At.Move(_rows, scrolls: true);
                return true;
            case ConsoleKey.Home:
                At.Home();
                return true;
            case ConsoleKey.End:
                At.Move(_page?.Count ?? 0, scrolls: true);
                return true;
            case ConsoleKey.Tab:
                Open((_open + 1) % TopPanels.All.Count);
                return true;
            case ConsoleKey.Escape:
                _filter = "";
                return true;
            default:
                return false;
        }
    }

    private void Command(char pressed)
    {
        IsEnded |= pressed is 'q' or 'Q';
        _isHelp = pressed == '?';
        _isTyping = pressed == '/';
        for (int i = 0; i < TopPanels.All.Count; i++)
        {
            if (TopPanels.All[i].Key == pressed)
            {
                Open(i);
                return;
            }
        }

        if (Panel.Actions.FirstOrDefault(a => a.Key == pressed) is { } action && _page?.Selected is { Length: > 0 } target)
        {
            Ask(action, target);
        }
        else if (Panel.Sorts.Any(s => s.Key == pressed))
        {
            At.IsReversed = pressed == At.Sort && !At.IsReversed;
            At.Sort = pressed;
            At.Home();
        }
    }

    private void Open(int panel)
    {
        _open = panel;
        _page = null;
        _filter = "";
    }

    // The target becomes part of a path, and an answer may come from something that only looks like a daemon.
    private void Ask(TopAction action, string target)
    {
        if (target.Split('/').All(static part => part.Length > 0 && ChangeCommands.IsName(part)))
        {
            _asked = (action, target);
        }
    }

    private void Answer(TopAction action, string target, char pressed)
    {
        _asked = null;
        if (pressed is 'y' or 'Y')
        {
            _request = new TopRequest(
                action.Method, string.Format(CultureInfo.InvariantCulture, action.Path, target),
                string.Format(CultureInfo.InvariantCulture, action.Done, target));
            return;
        }

        _message = "nothing was changed";
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

        At.Home();
    }

    // Connections and backends that matter most come first; events that are the latest.
    private static char FirstSortOf(TopPanel panel) => panel.Key == TopPanels.Events ? 't' : 'a';

    private static string Fit(string text, int width) => text.Length <= width ? text : text[..width];
}
