using System.Text.Json;
using L4Balancer.Core.Config;
using L4Balancer.Logging;
using Microsoft.Extensions.Logging;
using Level = Microsoft.Extensions.Logging.LogLevel;

namespace L4Balancer.Tests.Logging;

internal sealed class LogLineTests
{
    private static readonly DateTimeOffset Time = new(2026, 11, 20, 13, 5, 7, 89, TimeSpan.FromHours(1));

    [Test]
    public void Text_has_utc_time_level_and_message() =>
        Assert.That(Format(LogFormat.Text, Level.Information, "ready"), Is.EqualTo("2026-11-20T12:05:07.089Z info    ready"));

    [TestCase(Level.Critical, "<2>")]
    [TestCase(Level.Error, "<3>")]
    [TestCase(Level.Warning, "<4>")]
    [TestCase(Level.Information, "<6>")]
    [TestCase(Level.Debug, "<7>")]
    public void The_journal_gets_its_priority_and_no_time(Level level, string prefix) =>
        Assert.That(Format(LogFormat.Journal, level, "ready"), Is.EqualTo(prefix + "ready"));

    [Test]
    public void Json_is_one_object_with_its_parts()
    {
        JsonElement line = JsonDocument.Parse(Format(LogFormat.Json, Level.Warning, "a \"b\"\nc", new IOException("gone"))).RootElement;
        Assert.That(line.GetProperty("time").GetString(), Is.EqualTo("2026-11-20T12:05:07.089Z"));
        Assert.That(line.GetProperty("level").GetString(), Is.EqualTo("warning"));
        Assert.That(line.GetProperty("category").GetString(), Is.EqualTo("Tests"));
        Assert.That(line.GetProperty("event").GetInt32(), Is.EqualTo(1004));
        Assert.That(line.GetProperty("message").GetString(), Is.EqualTo("a \"b\"\nc"));
        Assert.That(line.GetProperty("exception").GetString(), Does.Contain("gone"));
    }

    [TestCase(LogFormat.Text)]
    [TestCase(LogFormat.Json)]
    [TestCase(LogFormat.Journal)]
    public void Nothing_that_is_logged_breaks_the_line_or_the_terminal(LogFormat format)
    {
        string line = Format(format, Level.Error, "evil\r\n<0>fake \x1B[31m\x7F\x9B\u2028\u2029 \u202Egpj\u2066\uFEFF\U000E0041", new IOException("two\nlines"));
        Assert.That(line.EnumerateRunes().Any(LogText.IsHidden), Is.False, line);
        Assert.That(line, Does.Contain(@"\u202Egpj\u2066"));
    }

    [TestCase("plain-1.2:3/x", "plain-1.2:3/x")]
    [TestCase("", "\"\"")]
    [TestCase("-", "\"-\"")]
    [TestCase("two words", "\"two words\"")]
    [TestCase("a=b", "\"a=b\"")]
    [TestCase("quote\" back\\", "\"quote\\\" back\\\\\"")]
    [TestCase("cr\r lf\n tab\t esc\x1B", "\"cr\\r lf\\n tab\\t esc\\x1B\"")]
    [TestCase("käse", "\"käse\"")]
    [TestCase("exe.\u202Egpj", "\"exe.\\u202Egpj\"")]
    public void A_value_is_bare_only_where_it_cannot_be_mistaken(string value, string expected)
    {
        var line = new LineBuffer(4);
        LogText.AppendValue(line, value);
        Assert.That(System.Text.Encoding.UTF8.GetString(line.Written), Is.EqualTo(expected));
    }

    private static string Format(LogFormat format, Level level, string message, Exception? exception = null) =>
        LogLine.Format(format, Time, level, "Tests", new EventId(1004), message, exception);
}
