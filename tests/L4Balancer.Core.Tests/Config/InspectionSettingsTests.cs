using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;

namespace L4Balancer.Core.Tests.Config;

/// <summary>Inspection, routes, named fields of hash_key and PROXY headers in the file.</summary>
internal sealed class InspectionSettingsTests
{
    private const string Listener = "[[listeners]]";
    private const string Pool = "[[pools]]";

    [Test]
    public void What_is_given_is_read()
    {
        BalancerConfig config = new ConfigText()
            .With(Listener, "inspect", "\"http\"").With(Listener, "inspect_timeout", "\"5s\"").With(Listener, "inspect_limit", "\"8KiB\"")
            .With(Listener, "inspect_failed", "\"refuse\"").With(Listener, "accept_proxy_from", "[\"10.0.0.0/8\", \"unix\"]")
            .With(Pool, "hash_key", "[\"http-query:room\", \"source-ip\", \"http-path:2\"]").With(Pool, "send_proxy", "\"v2\"")
            .With(Pool, "transparent", "true")
            .WithRoute("path", "[\"/R%6Foms/*\"]").WithRoute("host", "[\"*.Example.com.\"]").Load();
        ListenerSettings listener = config.Listeners[0];
        PoolSettings pool = config.Pools[0];

        Assert.That(
            (listener.Inspect, listener.InspectTimeout, listener.InspectLimit.Bytes, listener.InspectFailed, listener.AcceptProxyFrom.Length),
            Is.EqualTo((InspectKind.Http, TimeSpan.FromSeconds(5), 8192, InspectFailed.Refuse, 2)));
        Assert.That(listener.Routes.Single().Rule, Is.EqualTo("host *.example.com, path /Rooms/*, source 192.0.2.0/24"));
        Assert.That((pool.HashKey, string.Join(' ', pool.HashFields)), Is.EqualTo((TupleFields.SourceIp, "http-query:room http-path:2")));
        Assert.That((pool.SendProxy, pool.Transparent), Is.EqualTo((SendProxy.V2, true)));
    }

    [TestCase("sni", "[\"a.test\"]", "none", "routes[0].sni: is not known to this listener; set inspect = \"tls\"")]
    [TestCase("alpn", "[\"h2\"]", "http", "routes[0].alpn: is not known to this listener; set inspect = \"tls\"")]
    [TestCase("host", "[\"a.test\"]", "tls", "routes[0].host: is not known to this listener; set inspect = \"http\"")]
    [TestCase("path", "[\"/\"]", "none", "routes[0].path: is not known to this listener; set inspect = \"http\"")]
    [TestCase("source", "[]", "none", "routes[0]: has no condition and would fit every client; needed: sni, ")]
    [TestCase("pool", "\"chats\"", "none", "routes[0].pool: there is no pool \"chats\"; the nearest pool is \"chat\"")]
    [TestCase("sni", "[\"*\"]", "tls", "routes[0].sni[0]: \"*\" is not a host name, like ")]
    [TestCase("sni", "[\"10.0.0.1\"]", "tls", "routes[0].sni[0]: \"10.0.0.1\" is not a host name, like ")]
    [TestCase("host", "[\"a.*.test\"]", "http", "routes[0].host[0]: \"a.*.test\" is not a host name, like ")]
    [TestCase("path", "[\"rooms\"]", "http", "routes[0].path[0]: \"rooms\" is not a path, like ")]
    [TestCase("path", "[\"/a*b\"]", "http", "routes[0].path[0]: \"/a*b\" is not a path, like ")]
    [TestCase("alpn", "[\"\"]", "tls", "routes[0].alpn[0]: \"\" is not a protocol of ALPN, like ")]
    [TestCase("source", "[\"10.0.0.0/33\"]", "none", "routes[0].source[0]: \"10.0.0.0/33\" is not an address range, like ")]
    public void Wrong_route_is_reported(string key, string value, string inspect, string expected) =>
        Assert.That(
            new ConfigText().WithRoute(key, value).With(Listener, "inspect", $"\"{inspect}\"").Errors().Single(),
            Does.Contain(" listeners[0]." + expected));

    [TestCase("inspect_limit", "\"0\"", "inspect_limit: \"0\" is out of range; allowed: \"1KiB\" to \"64KiB\"")]
    [TestCase("inspect_limit", "\"65KiB\"", "inspect_limit: \"65KiB\" is out of range; allowed: ")]
    [TestCase("inspect", "\"ssh\"", "inspect: \"ssh\" is not known; allowed: \"none\", \"tls\", \"http\"")]
    [TestCase("inspect_failed", "\"drop\"", "inspect_failed: \"drop\" is not known; allowed: \"default\", \"refuse\"")]
    [TestCase("inspect_timeout", "\"6m\"", "inspect_timeout: \"6m\" is out of range; allowed: \"0s\" to \"5m\"")]
    [TestCase("accept_proxy_from", "[\"proxy\"]", "accept_proxy_from[0]: \"proxy\" is not an address range, like ")]
    public void Wrong_setting_of_the_listener_is_reported(string key, string value, string expected) =>
        Assert.That(new ConfigText().With(Listener, key, value).Errors().Single(), Does.Contain(" listeners[0]." + expected));

    [TestCase("tls", "[]", "31KiB", "\"31KiB\" does not hold inspect_limit; allowed: \"0\", or \"32KiB\" and more")]
    [TestCase("none", "[\"10.0.0.0/8\"]", "4KiB", "\"4KiB\" does not hold a PROXY header; allowed: \"0\", or \"8KiB\" and more")]
    [TestCase("tls", "[]", "32KiB", "")]
    [TestCase("none", "[]", "4KiB", "")]
    public void Receive_buffer_must_hold_what_is_looked_at(string inspect, string proxies, string size, string expected) =>
        Assert.That(
            new ConfigText().With(Listener, "inspect", $"\"{inspect}\"").With(Listener, "accept_proxy_from", proxies)
                .With(Listener, "receive_buffer", $"\"{size}\"").Errors(),
            expected.Length == 0 ? Is.Empty : Has.One.Contains(" listeners[0].receive_buffer: " + expected));

    [TestCase("tls", "[\"sni\"]", "")]
    [TestCase("none", "[\"sni\"]", "hash_key[0]: is read by no listener of this pool; set inspect = \"tls\" at one of them")]
    [TestCase("tls", "[\"source-ip\", \"http-path\"]", "hash_key[1]: is read by no listener of this pool; set inspect = \"http\"")]
    [TestCase("http", "[\"http-header:X-Room\", \"HTTP-path\"]", "hash_key[1]: \"HTTP-path\" is not known; allowed: ")]
    [TestCase("http", "[\"http-path:40\"]", "hash_key[0]: \"http-path:40\" is not known; allowed: ")]
    [TestCase("http", "[\"http-header:X\", \"http-header:x\"]", "hash_key[1]: \"http-header:x\" is already used at ")]
    public void Named_field_needs_a_listener_that_reads_it(string inspect, string key, string expected) =>
        Assert.That(
            new ConfigText().With(Listener, "inspect", $"\"{inspect}\"").With(Pool, "hash_key", key).Errors(),
            expected.Length == 0 ? Is.Empty : Has.One.Contains(" pools[0]." + expected));

    [Test]
    public void Name_and_request_are_never_in_one_key() =>
        Assert.That(
            new ConfigText().With(Listener, "inspect", "\"tls\"").With(Pool, "hash_key", "[\"sni\", \"http-path\"]").Errors(),
            Has.Length.EqualTo(2).And.All.Contains("would always be missing"));

    [Test]
    public void Field_that_the_listener_of_a_route_reads_is_accepted() =>
        Assert.That(
            ConfigText.Errors("""
                [[listeners]]
                name = "plain"
                bind = ["0.0.0.0:80"]
                pool = "chat"
                [[listeners]]
                name = "tls"
                bind = ["0.0.0.0:443"]
                pool = "other"
                inspect = "tls"
                routes = [{ sni = ["a.test"], pool = "chat" }]
                [[pools]]
                name = "chat"
                hash_key = ["sni"]
                backends = [{ name = "a", address = "10.0.0.1:80" }]
                [[pools]]
                name = "other"
                backends = [{ name = "a", address = "10.0.0.1:80" }]
                """),
            Is.Empty);

    [Test]
    public void Own_and_given_sources_exclude_each_other() =>
        Assert.That(
            new ConfigText().With(Pool, "transparent", "true").With(Pool, "source_ips", "[\"10.0.0.1\"]").Errors().Single(),
            Does.Contain(" pools[0].transparent: connects from the client's address, and source_ips names others"));
}
