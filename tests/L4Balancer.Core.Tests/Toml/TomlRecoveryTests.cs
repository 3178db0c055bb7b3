using System.Text;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Tests.Toml;

/// <summary>All mistakes of a file in one go, and one error for each.</summary>
internal sealed class TomlRecoveryTests
{
    [Test]
    public void Every_line_with_a_mistake_is_reported_and_the_rest_is_read()
    {
        TomlDocument document = Read(
            """
            [balancer]
            workers = 08
            engine = epoll
            grace = "30s
            [[listeners]
            name = "wss"
            bind = ["0.0.0.0:443" "[::]:443"]
            name = "again"
            port 443
            pool = "chat" pool
            [balancer]
            keepalive = { idle = "60s",, }
            """);

        Assert.That(Places(document), Is.EqualTo("2:11 3:10 4:9 5:12 7:23 8:1 9:6 10:15 11:2 12:28"));
        TomlTable listener = (TomlTable)((TomlArray)Value(document.Root, "listeners")).Items[0];
        Assert.That(((TomlString)Value(listener, "name")).Value, Is.EqualTo("wss"));
        Assert.That(((TomlArray)Value(listener, "bind")).Items, Has.Length.EqualTo(2));
    }

    [TestCase("bind = [\n  \"a:1\"\n  \"b:1\",\n]\nx = 1", "3:3", Description = "a comma is missing between lines")]
    [TestCase("bind = [\n  a:1,\n  \"b:1\",\n]\nx = 1", "2:3", Description = "quotes are missing")]
    [TestCase("bind = [\n  \"a:1,\n  \"b:1\",\n]\nx = 1", "2:3", Description = "a string is not closed")]
    [TestCase("bind = [\"a:1, \"b:1\"]\nx = 1", "1:16", Description = "a quotation mark too few")]
    [TestCase("bind = [\"a:1\",\n[pools]\nx = 1", "1:8", Description = "an array is not closed before a header")]
    [TestCase("bind = [\n  \"a:1\",\n\n  # more\n\"y\".z = 1\nx = 1", "1:8", Description = "an array is not closed before a key")]
    [TestCase("bind = [\n  1,\n}\nx = 1", "3:1", Description = "an array is closed by a brace")]
    [TestCase("t = { a = 1\n[pools]\nx = 1", "1:5", Description = "an inline table is not closed")]
    [TestCase("t = [\n  { a = 1, b = 2\n  { a = 2, b = 3 },\n]\nx = 1", "3:3", Description = "one of several inline tables is not closed")]
    [TestCase("t = [1,{a=1]\nx = 1", "1:12", Description = "an inline table is closed by a bracket")]
    [TestCase("t = \"\"\"a\n\\q\nb\"\"\"\nx = 1", "2:1", Description = "a wrong escape inside a multi-line string")]
    [TestCase("[[pools]\nname = 1\n[pools.health]\n[[pools]]\nx = 1", "1:8", Description = "a bracket too few, with tables below")]
    [TestCase("[pools]]\nname = 1\n[pools.health]\n[[pools]]\nx = 1", "1:7", Description = "a bracket too many at the end")]
    [TestCase("[[pools]]\n[pools.health]\n[[pools!]]\n[pools.health]\nx = 1", "3:8", Description = "a wrong header, tables below")]
    [TestCase("[a]\nb = 1\n[a]\nb = 2\n[a.c]\n[d]\nx = 1", "3:2", Description = "a table defined twice, with the same keys")]
    [TestCase("[[a]]\n[a.b]\n[a]\n[a.b]\n[d]\nx = 1", "3:2", Description = "a table where an array of tables is")]
    public void One_mistake_is_one_error(string text, string position)
    {
        TomlDocument document = Read(text);

        Assert.That(Places(document), Is.EqualTo(position));
    }

    [Test]
    public void Several_mistakes_in_one_array_are_all_reported()
    {
        TomlDocument document = Read("a = [\n  \"x\",\n  y,\n  z \"v\",\n  \"w\n  \"\\q\",\n  1__0\n]\nb = ?\n");

        Assert.That(Places(document), Is.EqualTo("3:3 4:3 5:3 6:4 7:3 9:5"));
        Assert.That(((TomlArray)Value(document.Root, "a")).Items.Select(item => ((TomlString)item).Value), Is.EqualTo(["x", "v"]));
    }

    [Test]
    public void Statements_behind_an_array_that_is_not_closed_are_read()
    {
        TomlDocument document = Read("bind = [\"a:1\",\n  \"b:1\"\nname = \"n\"\n[[pools]]\nbad = ?\n");

        Assert.That(Places(document), Is.EqualTo("1:8 5:7"));
        Assert.That(((TomlString)Value(document.Root, "name")).Value, Is.EqualTo("n"));
    }

    [TestCase("a = [\n[true],\n[inf]\n,[nan],\n[ \"b\" ]\n]")]
    [TestCase("a = [\n\"x\\\\\",\"=\",\n'y','= 1',\n\"[t]\"\n]")]
    [TestCase("a = [\n\"\"\"\nb = 1\n[c]\n\"\"\",\n'''x = 1'''\n]")]
    [TestCase("a = [ # [x]\n# b = 1\n{ c = 1 } # d = 1\n]")]
    [TestCase("t = {\n  a = 1, # one\n  b = 2 # two\n  ,\n\n  c = 3,\n}", Description = "TOML 1.1")]
    public void Good_array_is_not_taken_for_one_that_is_not_closed(string text)
    {
        TomlDocument document = Read(text);

        Assert.That(document.Errors, Is.Empty);
        Assert.That(document.Root.Entries, Has.Length.EqualTo(1));
    }

    [Test]
    public void No_more_than_a_hundred_errors_are_collected()
    {
        TomlDocument document = Read(string.Concat(Enumerable.Repeat("a b\n", 1000)));

        Assert.That(document.Errors, Has.Length.EqualTo(TomlReader.MaxErrors));
        Assert.That(document.Errors[^1].Position.Line, Is.EqualTo(TomlReader.MaxErrors));
    }

    [Test]
    public void Text_of_the_file_cannot_act_upon_the_terminal_that_shows_the_error()
    {
        TomlDocument document = Read("a = x\u202Ey" + new string('z', 100));

        Assert.That(document.Errors[0].Message, Does.StartWith("`x<U+202E>y" + new string('z', 37) + "…`"));
    }

    private static TomlDocument Read(string text) => TomlReader.Read(Encoding.UTF8.GetBytes(text));

    private static string Places(TomlDocument document) => string.Join(' ', document.Errors.Select(error => error.Position));

    private static TomlNode Value(TomlTable table, string key) =>
        table.TryGet(key, out TomlEntry? entry) ? entry.Value : throw new AssertionException($"{key} is missing");
}
