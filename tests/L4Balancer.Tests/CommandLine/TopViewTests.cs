using L4Balancer.Admin.Answers;
using L4Balancer.CommandLine;

namespace L4Balancer.Tests.CommandLine;

/// <summary>What <c>top</c> shows with 400 backends in 80 columns and 24 rows, the default size of a terminal.</summary>
internal sealed class TopViewTests
{
    private const int Width = 80;
    private const int Height = 24;
    private const int Rows = 17;

    private TopView _view = null!;

    [SetUp]
    public void Show()
    {
        _view = new TopView();
        TopSample before = Sample(uptime: 10, scale: 1);
        _view.Show(new TopSample(Status(20), Backends(scale: 3), before));
    }

    [Test]
    public void Everything_fits_and_names_stay_different()
    {
        IReadOnlyList<string> lines = _view.Lines(Width, Height);
        Assert.That(lines, Has.Count.EqualTo(Height).And.All.Length.LessThanOrEqualTo(Width));
        Assert.That(lines[0], Is.EqualTo("host: ready, up 20s, generation 1  2 down, 1 pool refuses clients"));
        Assert.That(lines[_view.HeadingLine], Does.StartWith("BACKEND").And.EndsWith("OUT/S"));
        Assert.That(Names(), Is.Unique.And.All.Match(@"server-\d{3}$"), "the end of a long name is what differs");
        Assert.That(lines[2], Is.EqualTo(" 1 pools   [2 backends]   3 connections    4 events "));
        Assert.That(lines[^1], Does.StartWith("1-17 of 400 ").And.Contain("q quit").And.Contain("D drain"));
    }

    [Test]
    public void The_fullest_come_first_and_rates_are_per_second()
    {
        string first = _view.Lines(Width, Height)[4];
        Assert.That(first, Does.Match(@"server-399 up +1197 +80 +0 B +80 B$"));
    }

    [Test]
    public void Rates_are_not_those_of_two_processes([Values] bool isAnotherId)
    {
        TopSample before = new(Status(100) with { Pid = isAnotherId ? 2 : 1 }, Backends(scale: 1), null);
        TopSample after = new(Status(isAnotherId ? 101 : 1), Backends(scale: 3), before);

        Assert.That(after.Heading().Rates, Does.Not.Contain("/s").And.Not.Contain("per second"));
        Assert.That(after.Rows[^1].New, Is.Null);
    }

    [Test]
    public void Nothing_is_erased_behind_a_line_that_fills_the_width()
    {
        using var output = new StringWriter();
        using var screen = new FullScreen(output);
        (int width, int height) = FullScreen.Size;
        screen.Draw([.. Enumerable.Repeat(new string('x', width), height)], heading: -1, cursor: -1, []);

        Assert.That(output.ToString(), Does.Match(@"x{8}\r\n").And.Not.Match(@"x\e\[[KJ]"));
        Assert.That(output.ToString().Split('\n'), Has.Length.EqualTo(height), "it does not scroll");
    }

    [TestCase('N', "server-000")]
    [TestCase('s', "server-003")]
    [TestCase('a', "server-000")]
    public void A_key_sorts_and_pressed_again_the_other_way_round(char key, string first)
    {
        Press(key);
        if (key != 'a')
        {
            Assert.That(Names()[0], Does.EndWith(first));
            Press(key);
        }

        Assert.That(Names()[0], Does.EndWith(key == 'a' ? first : key == 'N' ? "server-399" : "server-397"));
    }

    [Test]
    public void A_filter_is_part_of_the_name_or_the_state()
    {
        Type("/-12");
        Assert.That(Names(), Has.Count.EqualTo(10));
        Assert.That(_view.Lines(Width, Height)[2], Is.EqualTo("filter: -12_"));
        Press(ConsoleKey.Enter);
        Assert.That(_view.Lines(Width, Height)[2], Is.EqualTo("filter: -12"));
        Press(ConsoleKey.Escape);
        Type("/DRAIN");
        Assert.That(_view.Lines(Width, Height)[^1], Does.StartWith("1-17 of 100 "));
        Type("q");
        Assert.That(_view.IsEnded, Is.False, "part of the filter");
        Press(ConsoleKey.Backspace);
        Press(ConsoleKey.Escape);
        Assert.That(_view.Lines(Width, Height)[^1], Does.StartWith("1-17 of 400 "));
    }

    [Test]
    public void Scrolling_ends_at_both_ends()
    {
        Press('N');
        Assert.That(Names(), Has.Count.EqualTo(Rows));
        Press(ConsoleKey.PageDown);
        Assert.That(Names()[0], Does.EndWith($"server-{Rows:000}"));
        Press(ConsoleKey.End);
        Press(ConsoleKey.DownArrow);
        Assert.That(Names(), Has.Count.EqualTo(Rows));
        Assert.That(Names()[^1], Does.EndWith("server-399"));
        Press(ConsoleKey.UpArrow);
        Assert.That(Names()[^1], Does.EndWith("server-399"));
        Assert.That(Under(), Does.StartWith("…").Or.StartWith("a-pool").And.Contain("server-398 "));
        for (int i = 0; i < Rows; i++)
        {
            Press(ConsoleKey.UpArrow);
        }

        Assert.That(Names()[0], Does.EndWith($"server-{399 - Rows - 1}"), "the cursor takes the list along");
        Press(ConsoleKey.Home);
        Press(ConsoleKey.PageUp);
        Assert.That(Names()[0], Does.EndWith("server-000"));
    }

    [Test]
    public void Help_is_left_by_any_key_and_q_ends()
    {
        Press('?');
        Assert.That(_view.Lines(Width, Height), Has.All.Length.LessThanOrEqualTo(Width + 1));
        Assert.That(_view.Lines(Width, Height)[0], Is.EqualTo("Keys:"));
        Press('q');
        Assert.That(_view.IsEnded, Is.False);
        Press('q');
        Assert.That(_view.IsEnded, Is.True);
    }

    [Test]
    public void Every_view_has_its_rows()
    {
        _view.Show(Facts());
        Press('1');
        Assert.That(_view.Lines(Width, Height)[4], Does.Match(@"^chat +4 +1 +2 +1 +70 refuses clients$"));
        Press('3');
        Assert.That(_view.Lines(Width, Height)[4], Does.Match(@"^203\.0\.113\.7:51234 +chat/ws1 +1m05s +0\.5s +1\.0 KiB +2\.0 KiB$"));
        Assert.That(_view.Lines(Width, Height)[^1], Does.StartWith("1-2 of 2 (of 9)"));
        Press('4');
        Assert.That(_view.Lines(Width, Height)[4], Is.EqualTo("01-01 00:00:02 error   pool chat has no backend that is up"));
        Press(ConsoleKey.Tab);
        Assert.That(_view.Panel.Title, Is.EqualTo("pools"));
        foreach (char view in "1234")
        {
            Press(view);
            Assert.That(_view.Lines(Width, Height), Has.Count.EqualTo(Height).And.All.Length.LessThanOrEqualTo(Width));
        }
    }

    [TestCase('2', 'D', "POST", "/v1/backends/a-pool-with-a-long-name/and-a-long-name-of-a-server-399/drain")]
    [TestCase('2', 'R', "POST", "/v1/backends/a-pool-with-a-long-name/and-a-long-name-of-a-server-399/ready")]
    [TestCase('2', 'X', "DELETE", "/v1/connections?backend=a-pool-with-a-long-name/and-a-long-name-of-a-server-399")]
    [TestCase('3', 'X', "DELETE", "/v1/connections/7")]
    [TestCase('1', 'B', "POST", "/v1/pools/chat/rebalance")]
    [TestCase('1', 'S', "DELETE", "/v1/pools/chat/rebalance")]
    public void What_changes_something_is_asked_first(char view, char key, string method, string path)
    {
        _view.Show(Facts());
        Press(view);
        _view.Lines(Width, Height);
        Press(key);
        IReadOnlyList<string> asking = _view.Lines(Width, Height);
        Assert.That(asking[^1], Is.EqualTo("y: yes, other keys: no"));
        Assert.That($"{asking[^3]} {asking[^2]}".TrimEnd(), Does.EndWith("?"), "all of the question, in two lines");
        Assert.That(_view.Lines(Width, 8)[^1], Does.StartWith("y: yes, other keys: no.  "), "in one where there are no more");
        Press('n');
        Assert.That(_view.TakeRequest(), Is.Null);
        Assert.That(_view.Lines(Width, Height)[^3], Is.EqualTo("nothing was changed"));
        Press(key);
        Press('y');
        TopRequest request = _view.TakeRequest()!;
        Assert.That((request.Method.Method, request.Path), Is.EqualTo((method, path)));
        Assert.That(_view.TakeRequest(), Is.Null, "once");
    }

    [Test]
    public void All_about_the_row_under_the_cursor_stands_below_the_rows()
    {
        _view.Show(Facts());
        BackendAnswer[] backends = Backends(scale: 1);
        backends[399] = backends[399] with { State = "down", StateSeconds = 65, Health = new HealthAnswer(0, 3, 0, 1, null, "connection refused", null) };
        _view.Show(new TopSample(Status(1), backends, null));
        Assert.That(Said(), Is.EqualTo(
            "a-pool-with-a-long-name/and-a-long-name-of-a-server-399 at 10.0.0.149:80: down for 1m05s (connection refused); weight 100"));
        _view.Show(Facts());
        Press('1');
        Assert.That(Said(), Is.EqualTo("chat: ring; 1 up, 2 down, 1 draining; no backend takes connections"));
        Press('3');
        Assert.That(Said(), Is.EqualTo("7: 203.0.113.7:51234 to 10.0.0.1:443 (listener wss), active to chat/ws1 from 10.0.0.1:40000"));
        Press('4');
        Assert.That(Said(), Is.EqualTo("pool chat has no backend that is up"));
    }

    [Test]
    public void What_is_wrong_has_a_colour_and_what_is_sorted_by_a_line()
    {
        IReadOnlyList<string> lines = _view.Lines(Width, Height);
        string[] bad = [.. Painted(lines, TopTone.Bad)];
        Assert.That(bad[0], Is.EqualTo("2 down, 1 pool refuses clients"));
        Assert.That(bad[1..], Has.Length.EqualTo(8).And.All.EqualTo("down"));
        Assert.That(Painted(lines, TopTone.Sorted), Is.EqualTo(["ACTIVE"]));
        Assert.That(Painted(lines, TopTone.Key), Is.EqualTo(["[2 backends]", "q", "?", "/", "D", "M", "R", "X"]));
        Press('N');
        Assert.That(Painted(_view.Lines(Width, Height), TopTone.Sorted), Is.EqualTo(["BACKEND"]));
    }

    [Test]
    public void What_is_being_closed_has_a_column_while_it_lasts()
    {
        Assert.That(_view.Lines(Width, Height)[3], Does.Not.Contain("CLOSING"));
        BackendAnswer[] backends = Backends(scale: 1);
        backends[399] = backends[399] with { Shedding = new SheddingAnswer("drain", 400, 12) };
        _view.Show(new TopSample(Status(1), backends, null));
        Assert.That(_view.Lines(Width, Height)[3], Does.EndWith(" CLOSING"));
        Assert.That(_view.Lines(Width, Height)[4], Does.EndWith(" drain 12/400"));
        IEnumerable<string> painted = Painted(_view.Lines(Width, Height), TopTone.Warning);
        Assert.That(painted, Does.Contain("drain 12/400").And.None.Empty, "only what is there has a colour");
    }

    [Test]
    public void A_name_that_could_be_no_name_is_not_acted_on()
    {
        BackendAnswer[] backends = Backends(scale: 1)[..1];
        backends[0] = backends[0] with { Name = "x?rate=0" };
        _view.Show(new TopSample(Status(1), backends, null));
        _view.Lines(Width, Height);
        Press('D');
        Press('y');
        Assert.That(_view.TakeRequest(), Is.Null);
    }

    [TestCase(20, 3)]
    [TestCase(1, 1)]
    [TestCase(300, 100)]
    public void No_size_is_too_small_or_too_large(int width, int height) =>
        Assert.That(_view.Lines(width, height), Has.Count.LessThanOrEqualTo(height).And.All.Length.LessThanOrEqualTo(width));

    [Test]
    public void Control_characters_of_an_answer_do_not_reach_the_terminal()
    {
        BackendAnswer[] backends = Backends(scale: 1)[..1];
        backends[0] = backends[0] with { Name = "a\e[2Jb" };
        _view.Show(new TopSample(Status(1), backends, null));
        Assert.That(string.Concat(_view.Lines(Width, Height)), Does.Not.Contain('\e'));
    }

    private static TopFacts Facts()
    {
        ConnectionAnswer one = new(
            7, "203.0.113.7:51234", "10.0.0.1:443", "wss", "chat", "ws1", "10.0.0.1:40000", 65, 0.5, 1024, 2048, 1, "active");
        return new TopFacts(new TopSample(Status(20), Backends(scale: 3), null))
        {
            Connections = [one, one with { Id = 8, AgeSeconds = 3 }],
            AllConnections = 9,
            Events = [new EventAnswer(1, DateTime.UnixEpoch, "info", "starting"), new EventAnswer(2, DateTime.UnixEpoch.AddSeconds(2), "error", "pool chat has no backend that is up")],
        };
    }

    private string Said() => string.Join(' ', _view.Lines(Width, Height).TakeLast(3).Take(2)).TrimEnd();

    private IEnumerable<string> Painted(IReadOnlyList<string> lines, TopTone tone) => _view.Paints.Where(p => p.Tone == tone)
        .Select(p => lines[p.Line].Substring(p.Start, Math.Min(p.Length, lines[p.Line].Length - p.Start)).Trim());

    private string Under() => _view.Lines(Width, Height)[_view.CursorLine];

    private static TopSample Sample(double uptime, int scale) => new(Status(uptime), Backends(scale), null);

    private static StatusAnswer Status(double uptime)
    {
        Dictionary<string, long> none = [];
        return new StatusAnswer(
            "host", "1.0", "abc", ".NET", "epoll", 1, DateTime.UnixEpoch, uptime, true, 1, new OpenAnswer(0, 0, 1), 0, none, none, 0, 0, [], [new PoolAnswer("chat", "ring", 4, 1, 0, 2, 1, 0, 0, 70, false, null, null)], [],
            new DescriptorsAnswer(null, null), []);
    }

    private static BackendAnswer[] Backends(int scale)
    {
        Dictionary<string, long> none = [];
        return [.. Enumerable.Range(0, 400).Select(i => new BackendAnswer(
            "a-pool-with-a-long-name", $"and-a-long-name-of-a-server-{i:000}", $"10.0.0.{i % 250}:80", null, true, "", null,
            i % 4 == 3 ? "up" : i % 4 == 2 ? "draining" : "down", null, null, true, 100, false, i * scale, 1, i * scale, none, none, none, null, 0,
            i * scale, new HealthAnswer(0, 0, 0, 0, null, "", null), true))];
    }

    private List<string> Names() => [.. _view.Lines(Width, Height).Skip(4).Take(Rows).Where(l => l.Length > 0).Select(l => l.Split(' ')[0])];

    private void Type(string text)
    {
        foreach (char c in text)
        {
            Press(c);
        }
    }

    private void Press(char key) => _view.Press(new ConsoleKeyInfo(key, ConsoleKey.None, false, false, false));

    private void Press(ConsoleKey key) => _view.Press(new ConsoleKeyInfo('\0', key, false, false, false));
}
