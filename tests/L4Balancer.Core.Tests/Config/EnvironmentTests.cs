using System.Text;
using L4Balancer.Core.Config;

namespace L4Balancer.Core.Tests.Config;

/// <summary><c>${NAME}</c> in string values.</summary>
internal sealed class EnvironmentTests
{
    private static readonly Dictionary<string, string> Variables = new() { ["HOST"] = "10.0.0.7", ["PORT"] = "8443", ["EMPTY"] = "", ["TIME"] = "90s", ["ONE"] = "5" };

    [TestCase("${HOST}:${PORT}", "10.0.0.7:8443", "${HOST}:${PORT}")]
    [TestCase("a${EMPTY}b", "ab", "a${EMPTY}b")]
    [TestCase("${EMPTY:-x}", "x", "${EMPTY}")]
    [TestCase("${UNSET:-x:-y}", "x:-y", "${UNSET}")]
    [TestCase("${UNSET:-}", "", "${UNSET}")]
    [TestCase("${HOST:-x}", "10.0.0.7", "${HOST}")]
    [TestCase("$${HOST}", "${HOST}", "$${HOST}")]
    [TestCase("$$${HOST}", "$${HOST}", "$$${HOST}")]
    [TestCase("$HOST {HOST} $", "$HOST {HOST} $", "$HOST {HOST} $")]
    public void A_variable_stands_for_its_value(string text, string value, string shown)
    {
        Assert.That(EnvironmentText.Expand(text, Get, out string expanded, out string written), Is.Null);
        Assert.That((expanded, written), Is.EqualTo((value, shown)));
    }

    [TestCase("${UNSET}", "the environment has no variable UNSET; set it, or write a default: ${UNSET:-default}")]
    [TestCase("${", "begins no variable")]
    [TestCase("${}", "begins no variable")]
    [TestCase("${A B}", "begins no variable")]
    [TestCase("${1A}", "begins no variable")]
    [TestCase("${HOST", "begins no variable")]
    public void Anything_else_in_the_form_of_a_variable_is_an_error(string text, string message) =>
        Assert.That(EnvironmentText.Expand(text, Get, out _, out _), Does.Contain(message));

    [Test]
    public void Every_kind_of_value_may_have_one_and_is_shown_as_it_is_written()
    {
        BalancerConfig config = Read("""
            listeners = [{ name = "wss", bind = ["127.0.0.1:${PORT}", "127.0.0.2:${PORT}"], pool = "${POOL:-chat}" }]
            [[pools]]
            name = "chat"
            idle_timeout = "${TIME}"
            backends = [{ name = "ws1", address = "${HOST}:80" }]
              [pools.health]
              send = "$${HOST}"
            """).Config!;

        PoolSettings pool = config.Pools[0];
        Assert.That((pool.IdleTimeout, pool.Backends[0].Address, pool.Health.Send), Is.EqualTo((TimeSpan.FromSeconds(90), "10.0.0.7:80", "${HOST}")));
        Assert.That(config.Listeners[0].Bind.Select(b => b.ToString()), Is.EqualTo(["127.0.0.1:8443", "127.0.0.2:8443"]));
        Assert.That(
            config.FromEnvironment.Select(e => $"{e.Key} {string.Join(' ', e.Value.Texts)}"),
            Is.EqualTo(["listeners[0].bind 127.0.0.1:${PORT} 127.0.0.2:${PORT}", "pools[0].backends[0].address ${HOST}:80", "pools[0].idle_timeout ${TIME}"]));
    }

    [Test]
    public void One_that_is_not_set_is_an_error_with_its_place() => Assert.That(
        Errors(new ConfigText().With("[pools.health]", "host", "\"${UNSET}\"").ToString()),
        Has.Length.EqualTo(1).And.Some.Matches(@"^\d+:8 pools\[0\]\.health\.host: the environment has no variable UNSET; "));

    [Test]
    public void A_message_does_not_show_its_value()
    {
        string[] errors = Errors(new ConfigText().With("[[pools.backends]]", "address", "\"${HOST}:${EMPTY}\"").ToString());

        Assert.That(errors, Has.Length.EqualTo(1));
        Assert.That(errors[0], Does.Contain("\"${HOST}:${EMPTY}\" has a port out of range").And.Not.Contain("10.0.0.7"));
    }

    [Test]
    public void A_short_value_leaves_the_rest_of_a_message_alone() => Assert.That(
        Errors(new ConfigText().With("[pools.health]", "interval", "\"${ONE}\"").ToString()),
        Has.Length.EqualTo(1).And.Some.Contains("\"${ONE}\" is not a duration").And.None.Contains("2${ONE}0ms"));

    [Test]
    public void Keys_are_not_looked_at() => Assert.That(
        Errors(new ConfigText().With("[pools.health]", "\"${HOST}\"", "1").ToString()), Has.Length.EqualTo(1).And.Some.Contains("${HOST}"));

    private static string? Get(string name) => Variables.GetValueOrDefault(name);

    private static ConfigResult Read(string text) => ConfigReader.Read(Encoding.UTF8.GetBytes(text), new ConfigInputs { Variable = Get });

    private static string[] Errors(string text) => [.. Read(text).Errors.Select(e => $"{e.Position} {e.Key}: {e.Message}")];
}
