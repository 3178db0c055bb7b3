using L4Balancer.CommandLine;

namespace L4Balancer.Tests.CommandLine;

/// <summary>Tables on a narrow terminal and in a pipe.</summary>
internal sealed class TextTableTests
{
    [Test]
    public void A_pipe_gets_every_column_whole()
    {
        string[] lines = Plain(Backends());

        Assert.That(lines[0], Is.EqualTo("BACKEND               STATE     CONNECTIONS  CLOSING  HEALTH"));
        Assert.That(lines[1], Does.StartWith("chat/a-rather-long-1  draining            7  -        connection refused by a host"));
        Assert.That(lines, Has.Length.EqualTo(3));
    }

    [Test]
    public void A_narrow_terminal_loses_empty_columns_first_then_those_that_matter_least()
    {
        string[] at60 = Fitting(Backends(), 66);
        string[] at40 = Fitting(Backends(), 45);

        Assert.That(at60[0], Is.EqualTo("BACKEND               STATE     CONNECTIONS  HEALTH"));
        Assert.That(at60[1], Does.EndWith("…"));
        Assert.That(at60[^1], Does.StartWith("1 more columns do not fit: "));
        Assert.That(at40[0], Is.EqualTo("BACKEND               STATE     CONNECTIONS"));
        Assert.That(at40[1], Is.EqualTo("chat/a-rather-long-1  draining            7"));
    }

    [TestCase(80)]
    [TestCase(50)]
    [TestCase(34)]
    public void No_line_is_wider_than_the_terminal(int width)
    {
        TextTable wrapping = new("fact", "text") { WrapsLast = true };
        wrapping.Add("closed", string.Join(", ", Enumerable.Range(1, 20).Select(i => $"client_reset {i}")));

        Assert.That(Fitting(Backends(), width)[..^1], Has.All.Length.LessThanOrEqualTo(width));
        Assert.That(Fitting(wrapping, width), Has.All.Length.LessThanOrEqualTo(width).And.Length.GreaterThan(2));
    }

    [Test]
    public void The_end_of_a_name_stays() => Assert.That(Fitting(Backends(), 30)[1], Does.StartWith("…").And.Contain("long-1  drai"));

    [Test]
    public void Colour_takes_no_room()
    {
        using var output = new StringWriter { NewLine = "\n" };
        Backends().WriteFitting(output, 200, isColoured: true);

        Assert.That(output.ToString(), Does.Contain("\e[33mdraining\e[0m  ").And.StartWith("\e[1mBACKEND"));
    }

    private static TextTable Backends()
    {
        TextTable table = new("backend", "state", ">connections", "closing", "health") { LeavesOut = ["health", "closing"] };
        table.Add("chat/a-rather-long-1", "draining", "7", "-", "connection refused by a host of that name");
        table.Add("chat/a-rather-long-2", "up", "12", "-", "success");
        return table;
    }

    private static string[] Plain(TextTable table)
    {
        using var output = new StringWriter { NewLine = "\n" };
        table.WritePlain(output);
        return output.ToString().TrimEnd('\n').Split('\n');
    }

    private static string[] Fitting(TextTable table, int width)
    {
        using var output = new StringWriter { NewLine = "\n" };
        table.WriteFitting(output, width, isColoured: false);
        return output.ToString().TrimEnd('\n').Split('\n');
    }
}
