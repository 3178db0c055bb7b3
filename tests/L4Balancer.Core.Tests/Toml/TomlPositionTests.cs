using System.Text;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Tests.Toml;

/// <summary>Where a mistake or a value is said to stand.</summary>
internal sealed class TomlPositionTests
{
    [TestCase("a = 1\nb = \n", "2:5", "a value is expected, found the end of the line")]
    [TestCase("a = 01", "1:5", "leading zeros")]
    [TestCase("a = 1__0", "1:5", "underscore must be between two digits")]
    [TestCase("a = 9223372036854775808", "1:5", "-9223372036854775808 to 9223372036854775807")]
    [TestCase("a = 0xFFFFFFFFFFFFFFFF", "1:5", "-9223372036854775808 to 9223372036854775807")]
    [TestCase("a = yes", "1:5", "strings must be quoted")]
    [TestCase("\n  a b = 1", "2:5", "`=` and a value are expected")]
    [TestCase("bare!key = 1", "1:5", "put any other key in quotes")]
    [TestCase("= 1", "1:1", "a key is expected")]
    [TestCase("a. = 1", "1:4", "a key is expected")]
    [TestCase("\"\"\"a\"\"\" = 1", "1:1", "multi-line string cannot be a key")]
    [TestCase("a = \"open\nb = 1", "1:5", "not closed: \" is expected")]
    [TestCase("a = 'open", "1:5", "not closed: ' is expected")]
    [TestCase("a = \"\"\"open\n\n", "1:5", "not closed: \"\"\" is expected")]
    [TestCase("a = \"x\\qy\"", "1:7", "allowed are \\b")]
    [TestCase("a = \"\\uD800\"", "1:6", "is not a Unicode character")]
    [TestCase("a = \"\\U00110000\"", "1:6", "U+E000 to U+10FFFF")]
    [TestCase("a = \"\\u12g4\"", "1:6", "4 hexadecimal digits, found 2")]
    [TestCase("a = \"\"\"\n\u00e4\ud83d\ude00 \\q\"\"\"", "2:4", "not an escape sequence")]
    [TestCase("a = \"\ud83d\ude00\" b", "1:9", "the end of the line or a comment is expected, found `b`")]
    [TestCase("a = 1\r\nb = ]\r\n", "2:5", "a value is expected, found `]`")]
    [TestCase("a = 1\rb = 2", "1:6", "found `<U+000D>`")]
    [TestCase("# a\u0000b", "1:4", "is not allowed in a comment")]
    [TestCase("a = \"\u0001\"", "1:6", "is not allowed in a string")]
    [TestCase("a = [1, 2\nb = 3", "1:5", "array that begins here is not closed")]
    [TestCase("a = [1 2]", "1:8", "`,` or `]` is expected in an array, found `2`")]
    [TestCase("a = [1,,2]", "1:8", "a value is expected before `,`")]
    [TestCase("a = { b = 1, , }", "1:14", "a key is expected in an inline table, found `,`")]
    [TestCase("a = { b = 1\n", "1:5", "the inline table that begins here is not closed: `}` is expected")]
    [TestCase("a : 1", "1:3", "`=` and a value are expected after the key, found `:`")]
    [TestCase("a = \"\"\"b\\ \nc\"\"\"", "1:10", "white space between a backslash and the end of its line is not allowed")]
    [TestCase("a = \"b\\\tc\"", "1:7", "not an escape sequence")]
    [TestCase("a = \"b\\\nc\"", "1:7", "a backslash cannot end the line here")]
    [TestCase("a = \"\\x4\"", "1:6", "\\x takes 2 hexadecimal digits, found 1")]
    [TestCase("a = 18446744073709551615", "1:5", "-9223372036854775808 to 9223372036854775807")]
    [TestCase("a = 07:32:00.12345678", "1:5", "one to seven digits")]
    [TestCase("a = { b = 1 c = 2 }", "1:13", "`,` or `}` is expected")]
    [TestCase("[a]\n[b]\n[a]", "3:2", "`a` is already defined at 1:1")]
    [TestCase("[a.b]\nc = 1\n[a]\nb.d = 2", "4:1", "`b` is already defined by its header at 1:1")]
    [TestCase("a.b = 1\na.\"b\" = 2", "2:3", "`a.b` is already a value, at 1:3")]
    [TestCase("a = []\n[[a]]", "2:3", "`a` is already a value, at 1:1")]
    [TestCase("a = {}\na.b = 1", "2:1", "`a` is already a value, at 1:1")]
    [TestCase("[[a]]\n[a]", "2:2", "opened with [[ and ]]")]
    [TestCase("[a.b]\n[[a]]", "2:3", "`a` is already a table, at 1:2")]
    [TestCase("[a\nb = 1", "1:3", "`]` is expected after the key of a table")]
    [TestCase("[[a]\nb = 1", "1:4", "`]]` is expected")]
    [TestCase("[a]]\nb = 1", "1:3", "an array of tables begins with `[[`")]
    [TestCase("a = 2023-02-29", "1:5", "no day 29 in 2023-02: 01 to 28")]
    [TestCase("a = 1900-02-29", "1:5", "no day 29")]
    [TestCase("a = 2023-13-01", "1:5", "no month 13: 01 to 12")]
    [TestCase("a = 0000-01-01", "1:5", "0001 to 9999")]
    [TestCase("a = 23:59:60", "1:5", "leap seconds are not supported")]
    [TestCase("a = 2020-01-01 24:00:00", "1:5", "no hour 24")]
    [TestCase("a = 2020-01-01T00:00:00+24:00", "1:5", "up to 14:00")]
    [TestCase("a = 0001-01-01T00:00:00+00:01", "1:5", "outside the years 0001 to 9999")]
    [TestCase("a = 2020-01-01x", "1:5", "is not a date or time")]
    public void Mistake_is_reported_once_at_its_line_and_column(string text, string position, string message)
    {
        TomlDocument document = TomlReader.Read(Encoding.UTF8.GetBytes(text));

        Assert.That(document.Errors, Has.Length.EqualTo(1));
        Assert.That(document.Errors[0].Position.ToString(), Is.EqualTo(position));
        Assert.That(document.Errors[0].Message, Does.Contain(message));
    }

    [TestCase(new byte[] { (byte)'a', (byte)'=', (byte)'1', (byte)'\n', (byte)'#', 0xC3, 0xA4, 0xFF }, "2:3", "byte 0xFF")]
    [TestCase(new byte[] { (byte)'#', 0xED, 0xA0, 0x80 }, "1:2", "byte 0xED")]
    [TestCase(new byte[] { (byte)'#', 0xC0, 0x80 }, "1:2", "byte 0xC0")]
    [TestCase(new byte[] { (byte)'#', 0xF0, 0x9F }, "1:2", "byte 0xF0")]
    [TestCase(new byte[] { 0xEF, 0xBB, 0xBF, (byte)'!' }, "1:1", "is not allowed in a bare key")]
    [TestCase(new byte[] { 0xEF, 0xBB, 0xBF, 0xEF, 0xBB, 0xBF, (byte)'a', (byte)'=', (byte)'1' }, "1:1", "<U+FEFF>")]
    [TestCase(new byte[] { (byte)'b', (byte)'=', (byte)'1', (byte)'\n', 0xEF, 0xBB, 0xBF, (byte)'a', (byte)'=', (byte)'1' }, "2:1", "<U+FEFF>")]
    [TestCase(new byte[] { (byte)'\n', 0xEF, 0xBB, 0xBF, (byte)'a', (byte)'=', (byte)'1' }, "2:1", "<U+FEFF>")]
    public void Broken_byte_is_reported_where_it_stands(byte[] text, string position, string message)
    {
        TomlDocument document = TomlReader.Read(text);

        Assert.That(document.Errors, Has.Length.EqualTo(1));
        Assert.That(document.Errors[0].Position.ToString(), Is.EqualTo(position));
        Assert.That(document.Errors[0].Message, Does.Contain(message));
    }

    [Test]
    public void Keys_and_values_know_where_they_begin()
    {
        TomlTable root = TomlReader.Read(
            """
            "ü😀" = 'x'
            [[pools]]
              name = "a" # é
              keepalive = { idle = "60s", count = 3 }
              [pools.health]
              rise.x = [ 1,
             2 ]
            """u8).Root;
        TomlTable pool = (TomlTable)((TomlArray)Value(root, "pools")).Items[0];
        TomlTable health = (TomlTable)Value(pool, "health");
        TomlTable keepalive = (TomlTable)Value(pool, "keepalive");
        TomlArray rise = (TomlArray)Value((TomlTable)Value(health, "rise"), "x");

        string[] positions =
        [
            Place(root, "ü😀"), Place(root, "pools"), Place(pool, "name"), Place(pool, "keepalive"), Place(keepalive, "count"),
            Place(pool, "health"), Place(health, "rise"), rise.Items[0].Position.ToString(), rise.Items[1].Position.ToString(),
        ];
        Assert.That(
            string.Join(", ", positions), Is.EqualTo("1:1 1:8, 2:3 2:1, 3:3 3:10, 4:3 4:15, 4:31 4:39, 5:10 5:3, 6:3 6:3, 6:14, 7:2"));
    }

    private static TomlNode Value(TomlTable table, string key) =>
        table.TryGet(key, out TomlEntry? entry) ? entry.Value : throw new AssertionException($"{key} is missing");

    private static string Place(TomlTable table, string key) =>
        table.TryGet(key, out TomlEntry? entry) ? $"{entry.KeyPosition} {entry.Value.Position}" : "missing";
}
