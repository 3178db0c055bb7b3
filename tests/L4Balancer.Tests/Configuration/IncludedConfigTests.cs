using L4Balancer.Configuration;
using L4Balancer.Tests.Admin;

namespace L4Balancer.Tests.Configuration;

/// <summary><c>include</c> and variables, as they come from the disk and the environment.</summary>
internal sealed class IncludedConfigTests
{
    private const string Main = """
        include = ["conf.d/*.toml", "extra.toml"]
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:8443"]
        pool = "chat"
        """;

    private const string Pool = "[[pools]]\nname = \"chat\"\n";

    private SocketFolder _folder = null!;

    [SetUp]
    public void Make_the_files()
    {
        _folder = new SocketFolder();
        Directory.CreateDirectory(_folder.PathOf("conf.d"));
        File.WriteAllText(_folder.PathOf("main.toml"), Main);
        File.WriteAllText(_folder.PathOf("extra.toml"), "[balancer]\nworkers = 3\n");
        File.WriteAllText(_folder.PathOf("conf.d/20.toml"), Pool + "backends = [{ name = \"ws1\", address = \"10.0.0.1:80\" }]\n");
        File.WriteAllText(_folder.PathOf("conf.d/.hidden.toml"), "no TOML");
        File.WriteAllText(_folder.PathOf("conf.d/notes.txt"), "no TOML");
    }

    [TearDown]
    public void Remove_them() => _folder.Dispose();

    [Test]
    public void Files_are_found_beside_the_main_one_in_the_order_of_their_names()
    {
        File.WriteAllText(_folder.PathOf("conf.d/10.toml"), "[[pools]]\nname = \"first\"\nbackends = [{ name = \"a\", address = \"10.0.0.2:80\" }]\n");
        ConfigFile file = Load();

        Assert.That(file.Errors, Is.Empty);
        Assert.That(file.Config!.Pools.Select(p => p.Name), Is.EqualTo(["first", "chat"]));
        Assert.That(file.Config.Balancer.Workers, Is.EqualTo(3));
    }

    [Test]
    public void An_error_is_told_with_the_file_that_has_it()
    {
        File.WriteAllText(_folder.PathOf("conf.d/10.toml"), "\n" + Pool + "backends = []\n");
        ConfigFile file = Load();

        Assert.That(file.Config, Is.Null);
        Assert.That(file.Errors, Has.Some.StartsWith($"{_folder.PathOf("conf.d/10.toml")}:4:12: error: pools[0].backends: "));
        Assert.That(file.Errors, Has.Some.StartsWith($"{_folder.PathOf("conf.d/20.toml")}:2:8: error: pools[1].name: ").And.Contains($"{_folder.PathOf("conf.d/10.toml")}:3:8"));
    }

    [Test]
    public void A_file_that_is_not_there_is_an_error_and_a_pattern_without_files_is_none()
    {
        File.Delete(_folder.PathOf("extra.toml"));
        File.Delete(_folder.PathOf("conf.d/20.toml"));
        ConfigFile file = Load();

        Assert.That(file.Errors, Has.Length.EqualTo(1));
        Assert.That(file.Errors[0], Does.StartWith($"{_folder.PathOf("main.toml")}:1:29: error: include[1]: {_folder.PathOf("extra.toml")}: no such file"));
    }

    [TestCase("*.toml", null)]
    [TestCase("./extra.toml", null)]
    [TestCase("conf.d/../main.toml", "is the main file itself; leave it out")]
    [TestCase("a\\u0000b.toml", "has a character U+0000, which no file name can have")]
    [TestCase("missing.toml", "missing.toml: no such file: name another, or create this one")]
    public void A_file_is_read_once_and_nothing_reads_itself(string pattern, string? error)
    {
        File.WriteAllText(_folder.PathOf("main.toml"), Main.Replace("]\n[[", $", \"{pattern}\"]\n[[", StringComparison.Ordinal));
        ConfigFile file = Load();

        Assert.That(file.Errors, Has.Length.EqualTo(error is null ? 0 : 1));
        Assert.That(file.Errors, error is null ? Is.Empty : Has.Some.Contains(": error: include[2]: ").And.Some.EndsWith(error));
        Assert.That(((ConfigStamp)file.Stamp!).Again(), Is.EqualTo(file.Stamp));
    }

    [Test]
    public void A_file_that_cannot_be_read_leaves_the_stamp_as_it_is()
    {
        File.WriteAllText(_folder.PathOf("main.toml"), Main);
        File.CreateSymbolicLink(_folder.PathOf("conf.d/10.toml"), _folder.PathOf("nowhere"));
        ConfigFile file = Load();

        Assert.That(file.Errors, Has.Some.Contains("10.toml: no such file"));
        Assert.That(((ConfigStamp)file.Stamp!).Again(), Is.EqualTo(file.Stamp), "what was read is not read again");
    }

    [Test]
    public void The_stamp_changes_with_every_file_and_with_a_new_one()
    {
        var before = (ConfigStamp)Load().Stamp!;
        Assert.That(before.Again(), Is.EqualTo(before));

        File.AppendAllText(_folder.PathOf("extra.toml"), "#");
        ConfigStamp changed = before.Again()!;
        File.WriteAllText(_folder.PathOf("conf.d/30.toml"), "");
        ConfigStamp added = before.Again()!;
        File.Delete(_folder.PathOf("conf.d/30.toml"));
        ConfigStamp removed = before.Again()!;
        File.AppendAllText(_folder.PathOf("main.toml"), "#");

        Assert.That(changed, Is.Not.EqualTo(before));
        Assert.That(added, Is.Not.EqualTo(changed));
        Assert.That(removed, Is.EqualTo(changed));
        Assert.That(before.Again(), Is.Not.EqualTo(changed));
        File.Delete(_folder.PathOf("main.toml"));
        Assert.That(before.Again(), Is.Null);
    }

    [Test]
    public void What_comes_from_the_environment_is_shown_as_it_is_written()
    {
        string name = $"L4B_TEST_{Guid.NewGuid():N}";
        Environment.SetEnvironmentVariable(name, "10.9.8.7");
        try
        {
            string text = Main.Replace("include = [\"conf.d/*.toml\", \"extra.toml\"]", "", StringComparison.Ordinal) + "\n" + Pool;
            ConfigFile one = ConfigFile.Load(DaemonProcess.ConfigFileWith($"{text}backends = [{{ name = \"ws1\", address = \"${{{name}}}:80\" }}]\n"));
            ConfigFile other = ConfigFile.Load(DaemonProcess.ConfigFileWith($"{text}backends = [{{ name = \"ws1\", address = \"${{{name}}}:${{UNSET:-81}}\" }}]\n"));

            Assert.That(one.Config!.Pools[0].Backends[0].Address, Is.EqualTo("10.9.8.7:80"));
            Assert.That(ConfigJson.Of(one.Config).ToJsonString(), Does.Contain($"\"address\":\"${{{name}}}:80\"").And.Not.Contain("10.9.8.7"));
            Assert.That(
                ConfigDiff.Between(one.Config, other.Config!).Select(c => c.ToString()),
                Is.EqualTo([$"pools.chat.backends.ws1.address: \"${{{name}}}:80\" -> \"${{{name}}}:${{UNSET}}\""]));
        }
        finally
        {
            Environment.SetEnvironmentVariable(name, null);
        }
    }

    private ConfigFile Load() => ConfigFile.Load(_folder.PathOf("main.toml"));
}
