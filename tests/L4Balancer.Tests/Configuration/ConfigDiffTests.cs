using System.Text;
using L4Balancer.Configuration;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;

namespace L4Balancer.Tests.Configuration;

/// <summary>What a reload says has changed.</summary>
internal sealed class ConfigDiffTests
{
    private const string File = """
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:443"]
        pool = "chat"
        [[pools]]
        name = "chat"
        [[pools.backends]]
        name = "ws1"
        address = "10.0.0.1:80"
        [[pools.backends]]
        name = "ws2"
        address = "10.0.0.2:80"

        """;

    [Test]
    public void Nothing_changed_gives_nothing_whatever_the_order() => Assert.That(
        Changes(File.Replace("ws1", "x", StringComparison.Ordinal).Replace("10.0.0.1", "y", StringComparison.Ordinal)
            .Replace("ws2", "ws1", StringComparison.Ordinal).Replace("10.0.0.2", "10.0.0.1", StringComparison.Ordinal)
            .Replace("\"x\"", "\"ws2\"", StringComparison.Ordinal).Replace("\"y:", "\"10.0.0.2:", StringComparison.Ordinal)),
        Is.Empty);

    [TestCase("[[pools]]", "[[pools]]\nconnect_timeout = \"1.5s\"", ExpectedResult = "pools.chat.connect_timeout: \"3s\" -> \"1500ms\"")]
    [TestCase("[[pools]]", "[[pools]]\nhash_key = [\"source-ip\"]",
        ExpectedResult = """pools.chat.hash_key: ["source-ip","source-port","destination-ip","destination-port"] -> ["source-ip"]""")]
    [TestCase("10.0.0.2:80", "10.0.0.3:80", ExpectedResult = "pools.chat.backends.ws2.address: \"10.0.0.2:80\" -> \"10.0.0.3:80\"")]
    [TestCase("\"ws2\"", "\"ws3\"", ExpectedResult = "pools.chat.backends.ws2 removed\npools.chat.backends.ws3 added")]
    [TestCase("443\"", "443\", \"[::1]:443\"", ExpectedResult = """listeners.wss.bind: ["127.0.0.1:443"] -> ["127.0.0.1:443","[::1]:443"]""")]
    [TestCase("443\"", "440-449\"", ExpectedResult = """listeners.wss.bind: ["127.0.0.1:443"] -> ["127.0.0.1:440-449"]""")]
    [TestCase("[[listeners]]", "[[listeners]]\nallow = [\"10.0.0.0/8\", \"unix\"]", ExpectedResult = """listeners.wss.allow: [] -> ["10.0.0.0/8","unix"]""")]
    [TestCase("[[listeners]]", "[metrics]\n[[listeners]]", ExpectedResult = "metrics added")]
    [TestCase("[[listeners]]", "[balancer]\nlog_level = \"debug\"\n[[listeners]]", ExpectedResult = "balancer.log_level: \"info\" -> \"debug\"")]
    public string A_change_is_named_by_table_and_name(string from, string to) =>
        string.Join('\n', Changes(File.Replace(from, to, StringComparison.Ordinal)));

    [Test]
    public void A_header_of_probes_that_changed_is_named_and_its_value_is_not_shown()
    {
        const string Secret = "Bearer abc";
        BalancerConfig before = Read(File + "[pools.health]\nheaders = { Authorization = \"" + Secret + "\" }\nstatus = \"200\"\n");
        BalancerConfig after = Read(File + "[pools.health]\nheaders = { Authorization = \"Bearer xyz\" }\nstatus = \"204\"\n");

        Assert.That(
            ConfigDiff.Between(before, after).Select(c => c.ToString()),
            Is.EqualTo(new[] { "pools.chat.health.status: \"200\" -> \"204\"", "pools.chat.health.headers.Authorization: \"***\" -> \"***\"" }));
        string json = ConfigJson.Of(before).ToJsonString();
        Assert.That(json, Does.Contain("\"headers\":{\"Authorization\":\"***\"}").And.Not.Contain(Secret).And.Not.Contain("ca_certificates"));
    }

    [Test]
    public void What_probes_send_is_named_and_not_shown()
    {
        BalancerConfig before = Read(File + "[pools.health]\nsend = \"AUTH secret\"\nexpect = \"+OK\"\n");
        BalancerConfig after = Read(File + "[pools.health]\nsend = \"AUTH other\"\nexpect = \"+OK\"\n");

        Assert.That(ConfigDiff.Between(before, after).Select(c => c.ToString()), Is.EqualTo(new[] { "pools.chat.health.send: \"***\" -> \"***\"" }));
        Assert.That(ConfigJson.Of(before).ToJsonString(), Does.Contain("\"send\":\"***\",\"expect\":\"\\u002BOK\"").And.Not.Contain("secret"));
        Assert.That(ConfigJson.Of(Read(File)).ToJsonString(), Does.Contain("\"send\":\"\""));
    }

    [Test]
    public void What_a_running_process_keeps_is_told_apart()
    {
        BalancerConfig inForce = Read(File);
        BalancerConfig wanted = Read("[balancer]\nengine = \"managed\"\naccess_log = \"all\"\n[admin]\nlisten = \"127.0.0.1:1\"\n" + File);

        BalancerConfig kept = FixedAtStart.Keep(inForce, wanted);

        Assert.That(ConfigDiff.Between(inForce, kept).Select(c => c.Path), Is.EqualTo(new[] { "balancer.access_log" }));
        Assert.That(ConfigDiff.Between(kept, wanted).Select(c => c.Path), Is.EqualTo(new[] { "balancer.engine", "admin.listen" }));
    }

    [Test]
    public void The_endpoint_s_listener_needs_a_restart_and_its_other_settings_do_not()
    {
        BalancerConfig inForce = Connections.Config() with { Endpoint = new EndpointSettings { RatePerSource = 1 } };
        BalancerConfig wanted = inForce with
        {
            Endpoint = new EndpointSettings { CertFile = "/c", KeyFile = "/k", RatePerSource = 2, SecretFile = "/s", AllowOrigins = ["*"] },
        };
        BalancerConfig kept = FixedAtStart.Keep(inForce, wanted);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(kept.Endpoint, Is.EqualTo(wanted.Endpoint! with { CertFile = "", KeyFile = "" }));
            Assert.That(FixedAtStart.Keep(inForce, inForce with { Endpoint = null }).Endpoint, Is.EqualTo(inForce.Endpoint));
            Assert.That(FixedAtStart.Keep(inForce with { Endpoint = null }, wanted).Endpoint, Is.Null);
            Assert.That(
                ConfigDiff.Between(inForce, kept).Select(static c => c.Path),
                Is.EquivalentTo(new[] { "endpoint.rate_per_source", "endpoint.secret_file", "endpoint.allow_origins" }));
        }
    }

    [Test]
    public void Where_questions_are_answered_is_kept_and_what_is_answered_is_not()
    {
        BalancerConfig inForce = Read("[dns]\nlisten = \"127.0.0.1:53\"\nzone = \"a.example\"\n" + File);
        BalancerConfig wanted = Read("[dns]\nlisten = \"127.0.0.1:54\"\nzone = \"b.example\"\n" + File);

        Assert.That(ConfigDiff.Between(inForce, FixedAtStart.Keep(inForce, wanted)).Select(c => c.Path), Is.EqualTo(new[] { "dns.zone" }));
        Assert.That(FixedAtStart.Keep(inForce, Read(File)).Dns, Is.EqualTo(inForce.Dns), "the table does not go");
        Assert.That(FixedAtStart.Keep(Read(File), wanted).Dns, Is.Null, "nor does it come");
    }

    [Test]
    public void A_listener_that_keeps_an_address_keeps_the_protocol_of_its_socket()
    {
        BalancerConfig inForce = Read(File);
        ListenerSettings old = inForce.Listeners[0];
        ListenerSettings changed = old with { Mptcp = !old.Mptcp };
        Assert.That(Endpoint.TryParse("127.0.0.9:1", out Endpoint other), Is.True);

        BalancerConfig kept = FixedAtStart.Keep(inForce, inForce with { Listeners = [changed] });
        BalancerConfig moved = FixedAtStart.Keep(inForce, inForce with { Listeners = [changed with { Bind = [other] }] });

        Assert.That(
            ConfigDiff.Between(kept, inForce with { Listeners = [changed] }).Select(c => c.Path), Is.EqualTo(new[] { $"listeners.{old.Name}.mptcp" }));
        Assert.That(moved.Listeners[0].Mptcp, Is.EqualTo(changed.Mptcp));
    }

    private static IEnumerable<string> Changes(string after) => ConfigDiff.Between(Read(File), Read(after)).Select(c => c.ToString());

    private static BalancerConfig Read(string toml)
    {
        ConfigResult result = ConfigReader.Read(Encoding.UTF8.GetBytes(toml));
        Assert.That(result.Errors, Is.Empty);
        return result.Config!;
    }
}
