using System.Text;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Tests.Toml;

/// <summary>Values at the edges, which the test files may or may not hold.</summary>
internal sealed class TomlValueTests
{
    [TestCase("inf", double.PositiveInfinity)]
    [TestCase("+inf", double.PositiveInfinity)]
    [TestCase("-inf", double.NegativeInfinity)]
    [TestCase("nan", double.NaN)]
    [TestCase("-nan", double.NaN)]
    [TestCase("1.25", 1.25)]
    [TestCase("6.626_070e-34", 6.62607e-34)]
    [TestCase("5E+2", 500.0)]
    [TestCase("1e06", 1000000.0)]
    public void Float_is_read(string text, double value) => Assert.That(((TomlFloat)Read(text)).Value, Is.EqualTo(value));

    [TestCase("-9223372036854775808", long.MinValue)]
    [TestCase("+9_223_372_036_854_775_807", long.MaxValue)]
    [TestCase("0x7fff_FFFF_ffff_ffff", long.MaxValue)]
    [TestCase("0o755", 493)]
    [TestCase("0b1101_0110", 214)]
    [TestCase("-0", 0)]
    public void Integer_is_read(string text, long value) => Assert.That(((TomlInteger)Read(text)).Value, Is.EqualTo(value));

    [TestCase("'''\n\\d''a'''''", "\\d''a''")]
    [TestCase("\"\"\"\r\n\"\"a\"\"\\\"\"\"\"", "\"\"a\"\"\"")]
    [TestCase("\"\"\"a\\  \n\n \t b\"\"\"", "ab")]
    [TestCase("\"\\b\\t\\n\\f\\r\\\"\\\\\\u00e9\\U0001F600\"", "\b\t\n\f\r\"\\\u00e9\ud83d\ude00")]
    [TestCase("\"\\e[0m\\x41\\xe9\"", "\u001b[0mA\u00e9", Description = "TOML 1.1")]
    [TestCase("''", "")]
    [TestCase("'\t\ufeff'", "\t\ufeff")]
    public void String_is_read(string text, string value) => Assert.That(((TomlString)Read(text)).Value, Is.EqualTo(value));

    [TestCase("2024-02-29 07:32:00.1234567z")]
    [TestCase("1979-05-27T00:32:00-07:30")]
    [TestCase("1979-05-27t00:32:00+14:00")]
    [TestCase("9999-12-31T23:59:59.9999999")]
    [TestCase("2000-02-29")]
    [TestCase("23:59:59.9999999")]
    [TestCase("07:32", Description = "TOML 1.1")]
    public void Date_or_time_is_kept_as_written(string text) => Assert.That(((TomlDateTime)Read(text)).Text, Is.EqualTo(text));

    [TestCase("[a.b.c]\n[a]\nb.d = 1", "an implied table may be extended by dotted keys")]
    [TestCase("[a]\nb.c = 1\n[a.b.d]", "a header may add a table below one made by dotted keys")]
    [TestCase("[[a]]\n[a.b]\n[[a]]\n[a.b]", "each element has its own tables")]
    [TestCase("[a]\n[[a.b]]\n[a.b.c]\n[[a.b]]\n[a.b.c]", "also below a table")]
    [TestCase("a = { b.c = 1, b.d = 2 }", "dotted keys meet in an inline table")]
    public void Tables_may_be_put_together(string text, string why) =>
        Assert.That(TomlReader.Read(Encoding.UTF8.GetBytes(text)).Errors, Is.Empty, why);

    [TestCase("[a.b.c]\n[a]\nb.c.d = 1")]
    [TestCase("[a.b]\n[a]\nb.c = 1")]
    [TestCase("[a.b.c]\n[a]\nb.d = 1\n[a.b]")]
    [TestCase("a.b = 1\n[a]")]
    [TestCase("a = [{}]\n[[a]]")]
    [TestCase("a = [{}]\n[a.b]")]
    [TestCase("a = { b = {} }\n[a.b.c]")]
    [TestCase("a = { b.c = {}, b.c.d = 1 }")]
    public void Table_is_not_defined_twice(string text) =>
        Assert.That(TomlReader.Read(Encoding.UTF8.GetBytes(text)).Errors, Has.Length.EqualTo(1));

    private static TomlNode Read(string value)
    {
        TomlDocument document = TomlReader.Read(Encoding.UTF8.GetBytes($"a = {value}\n"));
        Assert.That(document.Errors, Is.Empty);
        return document.Root.Entries[0].Value;
    }
}
