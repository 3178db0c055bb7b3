using System.Text;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Tests.Toml;

/// <summary>The reader against every file of toml-lang/toml-test that is there.</summary>
internal sealed class TomlTestSuiteTests
{
    /// <summary>Invalid in TOML 1.0, valid in TOML 1.1, and so accepted. A tenth file that is accepted is a failure.</summary>
    private static readonly Dictionary<string, string> ValidInOnePointOne = new()
    {
        ["inline-table/linebreak-01.toml"] = "an inline table may take several lines",
        ["inline-table/linebreak-02.toml"] = "an inline table may take several lines",
        ["inline-table/linebreak-03.toml"] = "an inline table may take several lines",
        ["inline-table/linebreak-04.toml"] = "an inline table may take several lines",
        ["inline-table/trailing-comma.toml"] = "an inline table may end with a comma",
        ["datetime/no-secs.toml"] = "seconds may be left out",
        ["local-datetime/no-secs.toml"] = "seconds may be left out",
        ["local-time/no-secs.toml"] = "seconds may be left out",
        ["string/basic-byte-escapes.toml"] = "\\xHH and \\e are escapes",
    };

    [TestCaseSource(typeof(TomlTestFiles), nameof(TomlTestFiles.Valid))]
    public void Valid_file_gives_the_expected_values(string path)
    {
        TomlDocument document = TomlReader.Read(File.ReadAllBytes(path));

        Assert.That(document.Errors, Is.Empty);
        Assert.That(TaggedJson.Differences(document.Root, File.ReadAllText(Path.ChangeExtension(path, ".json"))), Is.Empty);
    }

    [TestCaseSource(typeof(TomlTestFiles), nameof(TomlTestFiles.Invalid))]
    public void Invalid_file_is_rejected_with_a_place_inside_it_unless_TOML_1_1_allows_it(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        TomlDocument document = TomlReader.Read(bytes);
        if (ValidInOnePointOne.Any(file => path.EndsWith("/invalid/" + file.Key, StringComparison.Ordinal)))
        {
            Assert.That(document.Errors, Is.Empty);
            return;
        }

        Assert.That(document.Errors, Is.Not.Empty);
        string[] lines = Encoding.UTF8.GetString(bytes).Split('\n');
        foreach (TomlError error in document.Errors)
        {
            Assert.That(error.Position.Line, Is.InRange(1, lines.Length), error.ToString());
            int columns = lines[error.Position.Line - 1].EnumerateRunes().Count();
            Assert.That(error.Position.Column, Is.InRange(1, columns + 1), error.ToString());
            Assert.That(error.Message.Any(char.IsControl), Is.False, "a message is printed on one line of a terminal");
        }
    }
}
