using L4Balancer.Admin.Answers;
using L4Balancer.CommandLine.Top;

namespace L4Balancer.Tests.CommandLine;

/// <summary>What <c>top</c> shows in 80 columns and 24 rows, the size of a terminal that nobody has enlarged, with 400 backends.</summary>
internal sealed class TopViewTests
{
    private const int Width = 80;
    private const int Height = 24;
    private const int Rows = 19;

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
        Assert.That(lines[0], Does.StartWith("ready, up 20s"));
        Assert.That(lines[_view.HeadingLine], Does.StartWith("BACKEND").And.EndsWith("OUT/S"));
        Assert.That(Names(), Is.Unique.And.All.Match(@"server-\d{3}$"), "the end of a long name is what differs");
        Assert.That(lines[^1], Does.StartWith("1-19 of 400").And.Contain("q quit"));
    }

    [Test]
    public void The_fullest_come_first_and_rates_are_per_second()
    {
        string first = _view.Lines(Width, Height)[4];
        Assert.That(first, Does.Match(@"server-399 up +1197 +80 +0 B +80 B$"));
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
        Assert.That(_view.Lines(Width, Height)[^1], Does.StartWith("1-19 of 100 "));
        Type("q");
        Assert.That(_view.IsEnded, Is.False, "part of the filter");
        Press(ConsoleKey.Backspace);
        Press(ConsoleKey.Escape);
        Assert.That(_view.Lines(Width, Height)[^1], Does.StartWith("1-19 of 400 "));
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
        Assert.That(Names()[^1], Does.EndWith("server-398"));
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

    private static TopSample Sample(double uptime, int scale) => new(Status(uptime), Backends(scale), null);

    private static StatusAnswer Status(double uptime)
    {
        Dictionary<string, long> none = [];
        return new StatusAnswer(
            "host", "1.0", "abc", ".NET", "epoll", 1, DateTime.UnixEpoch, uptime, true, 1, new OpenAnswer(0, 0, 1), 0, none, none, 0, 0, [], [], [],
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
