using L4Balancer.Core.Config;

namespace L4Balancer.Core.Tests.Config;

/// <summary>The keys of <c>[pools.health]</c> that say what a probe asks for.</summary>
internal sealed class ProbeSettingsTests
{
    [Test]
    public void Every_key_is_read()
    {
        HealthSettings health = Read("""
            type = "wss"
            fast_interval = "100ms"
            down_interval = "1m"
            path = "/chat?probe"
            host = "chat.example.com"
            status = "200, 300-302"
            headers = { Authorization = "Bearer abc", "X-From" = " lb " }
            verify = true
            ca_file = "/etc/ours.pem"
            """);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(health.Type, Is.EqualTo(HealthType.Wss));
            Assert.That((health.FastInterval, health.DownInterval), Is.EqualTo((TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1))));
            Assert.That((health.Path, health.Host), Is.EqualTo(("/chat?probe", "chat.example.com")));
            Assert.That(new[] { 199, 200, 201, 299, 300, 302, 303 }.Where(health.Status.Contains), Is.EqualTo(new[] { 200, 300, 302 }));
            Assert.That(health.Headers, Has.Count.EqualTo(2));
            Assert.That((health.Headers["authorization"], health.Headers["X-From"]), Is.EqualTo(("Bearer abc", "lb")));
            Assert.That((health.Verify, health.CaFile), Is.EqualTo((true, "/etc/ours.pem")));
        }
    }

    [TestCase("send", 4096)]
    [TestCase("expect", 1024)]
    public void Bytes_to_send_and_to_expect_are_bounded_in_UTF_8(string key, int longest)
    {
        HealthSettings health = Read($"{key} = \"{new string('a', longest - 2)}\\u00e4\"");
        Assert.That((key == "send" ? health.Send : health.Expect), Has.Length.EqualTo(longest - 1).And.EndsWith("ä"));

        Assert.That(
            Errors($"{key} = \"{new string('a', longest - 1)}ä\"").Single(),
            Is.EqualTo($"pools[0].health.{key}: has {longest + 1} bytes in UTF-8; allowed: up to {longest}"));
    }

    [TestCase("..:::")]
    [TestCase(":443")]
    [TestCase("a:")]
    [TestCase("a:0")]
    [TestCase("a:65536")]
    [TestCase("a..b")]
    [TestCase("[]")]
    [TestCase("[a]")]
    [TestCase("[::1]x")]
    public void A_host_that_no_header_can_have_is_an_error(string host) =>
        Assert.That(Errors($"host = \"{host}\"").Single(), Does.StartWith($"pools[0].health.host: \"{host}\" is not a host name"));

    [TestCase("")]
    [TestCase("a")]
    [TestCase("a_b.test.:8443")]
    [TestCase("10.0.0.1:80")]
    [TestCase("[::1]")]
    [TestCase("[2001:db8::1]:443")]
    public void A_host_may_be_a_name_or_an_address_with_a_port_or_without(string host) =>
        Assert.That(Read($"host = \"{host}\"").Host, Is.EqualTo(host));

    [TestCase("{ Host = \"a\" }", "pools[0].health.headers.Host: has its own key; use host")]
    [TestCase("{ connection = \"close\" }", "pools[0].health.headers.connection: is set by the probe itself; leave it out")]
    [TestCase("{ Sec-WebSocket-Key = \"a\" }", "pools[0].health.headers.Sec-WebSocket-Key: is set by the probe itself; leave it out")]
    [TestCase("{ A = \"1\", a = \"2\" }", "pools[0].health.headers.a: is given twice; header names are not case-sensitive")]
    [TestCase("{ A = 1 }", "pools[0].health.headers.A: must be a string, not an integer")]
    [TestCase("[\"A: 1\"]", "pools[0].health.headers: must be a table of strings, like { Authorization = \"Bearer …\" }, not an array")]
    public void A_header_that_would_spoil_the_probe_is_an_error(string headers, string error) =>
        Assert.That(Errors($"headers = {headers}"), Is.EqualTo(new[] { error }));

    [TestCase("\"a b\" = \"1\"", "is not a header name")]
    [TestCase("\"\" = \"1\"", "is not a header name")]
    [TestCase("A = \"1\\r\\nB: 2\"", "is not a header value")]
    [TestCase("A = \"é\"", "is not a header value")]
    public void A_header_cannot_smuggle_another(string header, string message) =>
        Assert.That(Errors($"headers = {{ {header} }}").Single(), Does.Contain(message));

    [Test]
    public void The_file_of_authorities_is_named_for_whoever_reads_files()
    {
        ConfigResult result = ConfigText.Read(Text("ca_file = \"/etc/ours.pem\""));

        NamedFile file = result.Files.Single();
        Assert.That((file.Path, file.Key), Is.EqualTo(("/etc/ours.pem", "pools[0].health.ca_file")));
        Assert.That(file.Position.Line, Is.EqualTo(8));
        Assert.That(result.Config!.Pools[0].Health.CaCertificates, Is.Empty);
    }

    private static HealthSettings Read(string health) => ConfigText.Load(Text(health)).Pools[0].Health;

    private static IEnumerable<string> Errors(string health) => ConfigText.Read(Text(health)).Errors.Select(e => $"{e.Key}: {e.Message}");

    private static string Text(string health) => $"""
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:443"]
        pool = "chat"
        [[pools]]
        name = "chat"
        [pools.health]
        {health}
        [[pools.backends]]
        name = "ws1"
        address = "10.0.0.1:443"
        """;
}
