using System.Globalization;
using System.Text;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Tests.Toml;

/// <summary>
/// What nobody writes on purpose: broken, deep and large texts. Not beside other tests: processor time is that of the process.
/// </summary>
[NonParallelizable]
internal sealed class TomlRobustnessTests
{
    private const int Seed = 20261120;
    private const int Mutations = 20_000;

    // Processor time, not time on the wall: a busy machine must not fail these. A linear reader needs two seconds at most, without
    // optimization; a quadratic one far more than the bound.
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(10);

    private static readonly string[] NotOurs = ["token", "Tomlyn", "Syntax", "not valid TOML"];

    private static readonly string[] Fragments =
    [
        "[", "]", "[[", "]]", "{", "}", "\"", "'", "\"\"\"", "'''", "\\", "\\u", "\n", "\r", "\r\n", "=", ",", ".", "#", " ", "\0",
        "\u00e9", "1979-05-27", "T", "07:32:00", "+", "-", "_", "0x", "1e9", "inf", "true", "a = ", "[a]", "[[a]]",
    ];

    [Test]
    public void Mutated_files_never_throw_and_keep_their_positions_inside_the_text()
    {
        string[] paths = [.. TomlTestFiles.Paths("valid"), .. TomlTestFiles.Paths("invalid")];
        if (paths.Length == 0) Assert.Ignore(TestData.Missing("toml-test"));
        byte[][] texts = [.. paths.Select(File.ReadAllBytes)];
        Random random = new(Seed);
        TimeSpan start = ProcessorTime;

        int rejected = 0;
        for (int i = 0; i < Mutations; i++)
        {
            byte[] text = Mutate(texts[random.Next(texts.Length)], texts[random.Next(texts.Length)], random);
            TomlDocument document = TomlReader.Read(text);
            int lines = text.Count(character => character == '\n') + 1;
            foreach (TomlError error in document.Errors)
            {
                Assert.That(error.Position.Line, Is.InRange(1, lines), () => Convert.ToBase64String(text));
                Assert.That(error.Position.Column, Is.InRange(1, text.Length + 1), () => Convert.ToBase64String(text));

                // The words of the parser underneath, and what is said where nothing is known.
                if (NotOurs.Any(error.Message.Contains)) Assert.Fail($"{error}: {Convert.ToBase64String(text)}");
            }

            if (document.Errors.Length > 0) rejected++;
        }

        Assert.That(rejected, Is.GreaterThan(Mutations / 2), "most mutations should hurt, else they test nothing");
        Assert.That(ProcessorTime - start, Is.LessThan(Bound));
    }

    [Test]
    public void Every_beginning_of_a_file_is_read_without_throwing()
    {
        string[] paths = TomlTestFiles.Paths("valid");
        if (paths.Length == 0) Assert.Ignore(TestData.Missing("toml-test/valid"));
        Assert.That(() =>
        {
            foreach (byte[] text in paths.Select(File.ReadAllBytes).Where(text => text.Length < 2000))
            {
                for (int length = 0; length < text.Length; length++) TomlReader.Read(text.AsSpan(0, length));
            }
        }, Throws.Nothing);
    }

    [TestCase("a = ", "[", 1_000_000)]
    [TestCase("a = ", "{b=", 1_000_000)]
    [TestCase("a = ", "[{b=", 1_000_000)]
    [TestCase("a = ", "[\n", 1_000_000)]
    [TestCase("[", "a.", 1_000_000)]
    [TestCase("", "a.", 1_000_000)]
    public void Depth_without_end_is_an_error(string start, string repeated, int times)
    {
        TomlDocument document = Read(start + string.Concat(Enumerable.Repeat(repeated, times)));

        Assert.That(document.Errors, Has.Length.EqualTo(1));
    }

    [Test]
    public void Depth_is_allowed_up_to_the_limit_whatever_makes_it()
    {
        const int Max = TomlReader.MaxDepth;
        (string Start, string Open, string Close)[] kinds = [("a = ", "[", "]"), ("a = ", "{b=", "}")];
        foreach ((string start, string open, string close) in kinds)
        {
            Assert.That(Read(start + Nested(open, close, Max)).Errors, Is.Empty);
            Assert.That(Read(start + Nested(open, close, Max + 1)).Errors.Single().Message, Does.Contain("too deeply: 128 levels"));
        }

        foreach (string form in new[] { "[{0}]", "{0}.x = 1" })
        {
            string atLimit = string.Join('.', Enumerable.Repeat("a", Max));
            Assert.That(Read(form.Replace("{0}", atLimit)).Errors, Is.Empty);
            Assert.That(Read(form.Replace("{0}", atLimit + ".a")).Errors.Single().Message, Does.Contain("too deeply: 128 levels"));
        }

        string table = string.Join('.', Enumerable.Repeat("a", Max - 1));
        Assert.That(Read($"[{table}]\nb = [[1]]").Errors.Single().Position.ToString(), Is.EqualTo("2:6"), "both kinds count together");
        Assert.That(Read($"[[{table}.b]]").Errors, Has.Length.EqualTo(1), "an array of tables is two levels");
    }

    [Test]
    public void Large_file_takes_time_in_proportion()
    {
        const int Count = 50_000;
        StringBuilder text = new("[[pools]]\nname = 'p'\n");
        for (int i = 0; i < Count; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"[[pools.backends]]\nname = \"b{i}\"\naddress = \"10.0.0.1:1\"\n");
        }

        text.Append("[keys]\n");
        for (int i = 0; i < Count; i++) text.Append(CultureInfo.InvariantCulture, $"k{i} = {i}\n");
        TimeSpan start = ProcessorTime;

        TomlDocument document = Read(text.ToString());

        Assert.That(document.Errors, Is.Empty);
        Assert.That(document.Root.TryGet("keys", out TomlEntry? keys), Is.True);
        long sum = 0;
        TomlTable table = (TomlTable)keys!.Value;
        for (int i = 0; i < Count; i++) sum += table.TryGet($"k{i}", out TomlEntry? entry) ? ((TomlInteger)entry.Value).Value : 0;
        Assert.That(sum, Is.EqualTo(Count * (Count - 1L) / 2));
        Assert.That(table.TryGet("k", out _), Is.False);
        Assert.That(ProcessorTime - start, Is.LessThan(Bound));
    }

    [TestCase("a = [\n", "x\n")]
    [TestCase("a = [\n", "\"x\\\n")]
    [TestCase("a = [", " x")]
    [TestCase("", "a = {\n")]
    [TestCase("", "a = [\n")]
    [TestCase("", "a = \"\"\"x\n")]
    [TestCase("a = \"\"\"", "\\  ")]
    [TestCase("a = {", "\n#")]
    [TestCase("", "[a]\n")]
    [TestCase("", "[[a]\n")]
    [TestCase("", "\u00ff")]
    public void Large_nonsense_takes_time_in_proportion(string opening, string repeated)
    {
        TimeSpan start = ProcessorTime;

        TomlDocument document = Read(opening + string.Concat(Enumerable.Repeat(repeated, 300_000)));

        Assert.That(document.Errors, Is.Not.Empty);
        Assert.That(ProcessorTime - start, Is.LessThan(Bound));
    }

    [Test]
    public void Text_beyond_the_size_limit_is_refused_unread()
    {
        TomlDocument document = TomlReader.Read(new byte[(8 << 20) + 1]);

        Assert.That(document.Errors.Single().Message, Does.Contain("at most 8388608 are read"));
    }

    [TestCase("a = [\n", "1,")]
    [TestCase("a = [", "{a=1},")]
    [TestCase("a = [", "1 ")]
    [TestCase("a = [", "!")]
    [TestCase("a = [", "''")]
    [TestCase("a = [", "\u00e9")]
    [TestCase("#", "\u0001")]
    [TestCase("# \r", "[")]
    [TestCase("a = [\"\"\"\n# \"\"\",", "1,")]
    [TestCase("", "=")]
    [TestCase("", "a=!\n")]
    [TestCase("", "[a.a.a.a.a.a.a.a.a.a.a]\n")]
    [TestCase("", "a.a.a.a.a.a.a.a.a=1\n")]
    [TestCase("", "\n")]
    public void Text_that_takes_gigabytes_to_parse_is_refused_unread(string opening, string repeated)
    {
        string text = opening + string.Concat(Enumerable.Repeat(repeated, 3_900_000 / repeated.Length));
        long before = GC.GetAllocatedBytesForCurrentThread();

        TomlDocument document = Read(text);

        Assert.That(document.Errors.Single().Message, Does.StartWith("the text has more than 1000000 line ends"));
        Assert.That(document.Root.Entries, Is.Empty);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(20_000_000), "the bytes of the text, and little else");
    }

    [Test]
    public void Weight_is_exceeded_at_a_position()
    {
        string text = "a = 1\n" + new string('\n', 999_997) + "b = ";

        Assert.That(Read(text).Errors.Single().Message, Does.Not.StartWith("the text has more"));
        Assert.That(Read(text + "[1]").Errors.Single().Position, Is.EqualTo(new TomlPosition(999_999, 5)));
    }

    [Test]
    public void Comments_and_long_strings_weigh_little()
    {
        StringBuilder text = new();
        for (int i = 0; i < 50_000; i++) text.Append("# [prose], with (many) signs! and = words...\n");
        text.Append("a = \"").Append('x', 4_000_000).Append("\"\n");

        Assert.That(Read(text.ToString()).Errors, Is.Empty);
    }

    private static TimeSpan ProcessorTime => Environment.CpuUsage.TotalTime;

    private static TomlDocument Read(string text) => TomlReader.Read(Encoding.UTF8.GetBytes(text));

    private static string Nested(string open, string close, int depth) =>
        string.Concat(Enumerable.Repeat(open, depth - 1)) + open[0] + close + string.Concat(Enumerable.Repeat(close, depth - 1));

    private static byte[] Mutate(byte[] text, byte[] other, Random random)
    {
        List<byte> mutated = [.. text];
        for (int changes = random.Next(1, 5); changes > 0; changes--)
        {
            int at = random.Next(mutated.Count + 1);
            int length = Math.Min(random.Next(1, 12), mutated.Count - at);
            switch (random.Next(5))
            {
                case 0:
                    mutated.RemoveRange(at, length);
                    break;
                case 1:
                    mutated.InsertRange(at, Encoding.UTF8.GetBytes(Fragments[random.Next(Fragments.Length)]));
                    break;
                case 2:
                    if (at < mutated.Count) mutated[at] = (byte)random.Next(256);
                    break;
                case 3:
                    mutated.InsertRange(at, mutated.GetRange(at, length));
                    break;
                default:
                    mutated.InsertRange(at, other.AsSpan(random.Next(other.Length + 1)));
                    break;
            }
        }

        return [.. mutated];
    }
}
