using System.Text;
using L4Balancer.Admin.Answers;
using L4Balancer.CommandLine;
using L4Balancer.Configuration;
using L4Balancer.Core.Config;

namespace L4Balancer.Tests.CommandLine;

/// <summary>What <c>config</c> prints is a file: it passes <c>check</c> and says the same.</summary>
internal sealed class TomlTextTests
{
    private const string Base = """
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:8443", "unix:/run/a b.sock"]
        pool = "chat"
        [[pools]]
        name = "chat"

        """;

    [TestCase("discovery = { dns = \"_ws._tcp.chat.example.com\", servers = [\"127.0.0.1:53\"] }")]
    [TestCase("discovery = { dns = \"chat.example.com:8443\" }\nbackends = [{ name = \"a\", address = \"[::1]:9\", backup = true }]")]
    [TestCase("discovery = { file = \"/tmp/x.toml\", hold = \"0s\" }")]
    [TestCase("discovery = { http = \"https://127.0.0.1:1/sd\", token_file = \"/tmp/token\", ca_file = \"/tmp/ca\" }")]
    [TestCase("discovery = { etcd = [\"http://127.0.0.1:1\"], user = \"u\", password_file = \"/tmp/p\" }")]
    [TestCase("discovery = { consul = \"http://127.0.0.1:1\", service = \"x\", interval = \"10s\" }")]
    [TestCase("discovery = { zookeeper = [\"127.0.0.1:1\"], prefix = \"/a/\" }")]
    [TestCase("discovery = { redis_sentinel = [\"127.0.0.1:1\"], service = \"m\", role = \"replica\" }")]
    [TestCase("discovery = { kubernetes = \"in-cluster\", namespace = \"n\", service = \"x\", port = \"http\" }")]
    [TestCase("sticky = { ttl = \"5m\" }\nhealth = { type = \"http\", headers = { \"X-A.b\" = \"c\\\"d\" } }\nbackends = [{ name = \"a\", address = \"h.example:9\" }]")]
    public void What_it_prints_passes_and_gives_the_same(string pool) => Compare(Base + pool);

    [Test]
    public void That_of_the_example_too() => Compare(File.ReadAllText(Repository.PathOf("balancer.toml.example")));

    [Test]
    public void That_of_a_packet_listener_too() => Compare("""
        [[listeners]]
        name = "p"
        mode = "packet"
        bind = ["192.0.2.10:443"]
        interface = "eth0"
        forward = "ipip"
        pool = "chat"
        [[pools]]
        name = "chat"
        balance = "maglev"
        backends = [{ name = "a", address = "10.0.0.1:443" }]
        """);

    private static void Compare(string text)
    {
        BalancerConfig first = Read(text);
        using var output = new StringWriter { NewLine = "\n" };
        new TomlText(output, new Dictionary<(string, string), BackendAnswer>()).Write(ConfigJson.Of(first));
        Assert.That(ConfigJson.Of(Read(output.ToString())).ToJsonString(), Is.EqualTo(ConfigJson.Of(first).ToJsonString()));
    }

    private static BalancerConfig Read(string text)
    {
        ConfigResult result = ConfigReader.Read(Encoding.UTF8.GetBytes(text));
        Assert.That(result.Errors, Is.Empty, text);
        return result.Config!;
    }
}
