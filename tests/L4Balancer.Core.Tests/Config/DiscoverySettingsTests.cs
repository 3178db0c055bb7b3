using System.Collections.Immutable;
using System.Text;
using L4Balancer.Core.Config;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Tests.Config;

/// <summary>The keys of <c>[pools.discovery]</c>: what is read, and which belong together.</summary>
internal sealed class DiscoverySettingsTests
{
    private const string Sources = "dns, file, http, etcd, consul, zookeeper, redis_sentinel, kubernetes";

    // With every key, whether it is supported yet or not.
    private static readonly SchemaTable Schema = new(
        ConfigSchema.Discovery.Header, ConfigSchema.Discovery.Keys.Select(static k => k with { Form = KeyForm.Value }));

    [Test]
    public void Every_source_is_read()
    {
        using (Assert.EnterMultipleScope())
        {
            Assert.That(Read("dns = '_ws._tcp.chat.example.com'\nservers = ['10.0.0.53:53', '[::1]:5353']") is
            {
                Kind: DiscoveryKind.Dns, Dns: "_ws._tcp.chat.example.com", Servers.Length: 2,
            });
            Assert.That(Read("file = '/etc/chat.toml'") is { Kind: DiscoveryKind.File, File: "/etc/chat.toml" });
            Assert.That(Read("http = 'http://sd.example.com/chat?x=1'").Http!.Query, Is.EqualTo("?x=1"));
            Assert.That(Read("etcd = ['http://10.0.0.1:2379', 'https://b:2379']").Etcd, Has.Length.EqualTo(2));
            Assert.That(Read("consul = 'http://127.0.0.1:8500'\nservice = 'chat'") is { Kind: DiscoveryKind.Consul, Service: "chat" });
            Assert.That(Read("zookeeper = ['10.0.0.1:2181', 'zk.example.com:2181']").Zookeeper[1], Is.EqualTo("zk.example.com:2181"));
            Assert.That(Read("redis_sentinel = ['10.0.0.1:26379']\nservice = 'm'\nrole = 'replica'").Role, Is.EqualTo(SentinelRole.Replica));
            Assert.That(Read("kubernetes = 'in-cluster'\nservice = 'chat'\nnamespace = 'prod'\nport = 'ws'") is
            {
                Kind: DiscoveryKind.Kubernetes, Kubernetes: DiscoverySettings.InCluster, Namespace: "prod", Port: "ws",
            });
            Assert.That(Read("kubernetes = 'https://10.0.0.1:6443'\nservice = 'chat'").Kubernetes, Is.EqualTo("https://10.0.0.1:6443"));
        }
    }

    [Test]
    public void What_all_sources_have_is_read_and_has_defaults()
    {
        DiscoverySettings given = Read("file = '/a'\ninterval = '5s'\nhold = '0s'");
        DiscoverySettings absent = Read("file = '/a'");

        Assert.That((given.Interval, given.Hold), Is.EqualTo((TimeSpan.FromSeconds(5), TimeSpan.Zero)));
        Assert.That((absent.Interval, absent.Hold), Is.EqualTo((TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(30))));
    }

    [Test]
    public void The_prefix_is_that_of_the_fleet_and_the_pool_unless_one_is_given()
    {
        Assert.That(Read("etcd = ['http://a:1']").PrefixFor("chat"), Is.EqualTo("/l4balancer/default/pools/chat/backends/"));
        Assert.That(Read("etcd = ['http://a:1']").PrefixFor("chat", "eu"), Is.EqualTo("/l4balancer/eu/pools/chat/backends/"));
        Assert.That(Read("etcd = ['http://a:1']\nprefix = '/x/y'").PrefixFor("chat", "eu"), Is.EqualTo("/x/y/"));
    }

    [Test]
    public void The_files_that_are_named_are_listed_with_what_they_hold()
    {
        List<NamedFile> files = [];
        _ = Read("""
            http = "https://sd"
            token_file = "/t"
            ca_file = "/ca"
            cert_file = "/c"
            key_file = "/k"
            user = "u"
            password_file = "/p"
            """, files);

        Assert.That(files.Select(f => (f.Path, f.Kind)), Is.EqualTo(new[]
        {
            ("/t", NamedFileKind.Secret), ("/ca", NamedFileKind.Certificates), ("/c", NamedFileKind.Certificates),
            ("/k", NamedFileKind.Secret), ("/p", NamedFileKind.Secret),
        }));
    }

    [Test]
    public void Keys_at_their_defaults_may_stand_with_any_source() => Assert.That(Errors("""
        dns = "_ws._tcp.chat.example.com"
        servers = []
        file = ""
        http = ""
        etcd = []
        consul = ""
        zookeeper = []
        redis_sentinel = []
        kubernetes = ""
        prefix = ""
        service = ""
        namespace = "default"
        port = ""
        role = "master"
        token_file = ""
        ca_file = ""
        cert_file = ""
        key_file = ""
        user = ""
        password_file = ""
        interval = "30s"
        hold = "30s"
        """), Is.Empty);

    [TestCase("", "discovery: has no source; needed: one of " + Sources)]
    [TestCase("dns = ''", "discovery: has no source; needed: one of " + Sources)]
    [TestCase("dsn = 'a:1'", "discovery.dsn: unknown key in [pools.discovery]; the nearest known key is \"dns\"")]
    [TestCase("dns = 'a:1'\nfile = '/a'", "discovery.file: is a second source beside dns; a pool has one: leave one of them out")]
    [TestCase("file = '/a'\nservers = ['10.0.0.1:53']", "discovery.servers: has no meaning with file, but with dns; leave it out")]
    [TestCase("dns = 'a:1'\nprefix = '/a'", "discovery.prefix: has no meaning with dns, but with etcd, zookeeper; leave it out")]
    [TestCase("dns = 'a:1'\nrole = 'replica'", "discovery.role: has no meaning with dns, but with redis_sentinel; leave it out")]
    [TestCase("consul = 'http://a'", "discovery.service: missing; needed: the name of the service in Consul")]
    [TestCase("consul = 'http://a'\nservice = ''", "discovery.service: is empty; needed: the name of the service in Consul")]
    [TestCase("etcd = ['http://a']\nuser = 'u'", "discovery.password_file: missing; needed: it and user together, or neither")]
    [TestCase("http = 'http://a'\nkey_file = '/k'", "discovery.cert_file: missing; needed: it and key_file together, or neither")]
    [TestCase("http = 'http://u:p@a'", "discovery.http: contains a user or a password, which logs would show; use user and password_file")]
    [TestCase("http = 'ftp://a'", "discovery.http: \"ftp://a\" is not a URL of http or https, like \"http://10.0.0.1:2379\"")]
    [TestCase("etcd = ['10.0.0.1:2379']", "discovery.etcd[0]: \"10.0.0.1:2379\" is not a URL of http or https, like \"http://10.0.0.1:2379\"")]
    [TestCase("zookeeper = ['a']", "discovery.zookeeper[0]: \"a\" is not an address or a host name with a port, like \"10.0.0.1:2181\"")]
    [TestCase("file = 'chat.toml'", "discovery.file: \"chat.toml\" is not a path; allowed: an absolute path of at most 4096 bytes")]
    [TestCase("file = '/a'\ninterval = '10ms'", "discovery.interval: \"10ms\" is out of range; allowed: \"1s\" to \"24d\"")]
    [TestCase("kubernetes = 'here'\nservice = 'a'",
        "discovery.kubernetes: \"here\" is not \"in-cluster\" or the URL of the API, like \"https://10.0.0.1:6443\"")]
    public void A_mistake_is_told_with_its_mend(string text, string error) => Assert.That(Errors(text), Is.EqualTo(new[] { error }));

    [TestCase("10.0.0.1:80")]
    [TestCase("chat.example.com")]
    [TestCase("_ws.chat")]
    [TestCase("chat.example.com:0")]
    [TestCase("a b:1")]
    public void A_dns_name_needs_a_port_or_the_form_of_a_service(string name) =>
        Assert.That(Errors($"dns = '{name}'").Single(), Does.StartWith($"discovery.dns: \"{name}\" is not the name of SRV records"));

    [Test]
    public void Equality_is_that_of_the_values()
    {
        const string Text = "etcd = ['http://a:1', 'http://b:1']";

        Assert.That(Read(Text).HasSameValues(Read(Text)), Is.True);
        Assert.That(Read(Text).HasSameValues(Read("etcd = ['http://a:1']")), Is.False);
        Assert.That(Read(Text).HasSameValues(Read(Text) with { CaCertificates = "other" }), Is.False);
    }

    [TestCase("wss://ws1.example.com/chat", true)]
    [TestCase("http://[2001:db8::1]:8080/a?b=c", true)]
    [TestCase("tcp://a", false)]
    [TestCase("/chat", false)]
    [TestCase("ws1.example.com", false)]
    [TestCase("wss://u:p@a/", false)]
    [TestCase("wss://a/#b", false)]
    [TestCase("wss://a/\\u000ax", false)]
    [TestCase("wss:///chat", false)]
    public void A_public_url_is_an_absolute_url(string url, bool isValid)
    {
        string[] errors = new ConfigText().With("[[pools.backends]]", "public_url", $"\"{url}\"").Errors();

        Assert.That(errors, isValid ? Is.Empty : Has.Length.EqualTo(1).And.All.Contains("is not an absolute URL of http, https, ws or wss"));
    }

    private static DiscoverySettings Read(string text, List<NamedFile>? files = null)
    {
        (DiscoverySettings settings, ImmutableArray<ConfigError> errors) = Bind(text, files ?? []);
        Assert.That(errors, Is.Empty);
        return settings;
    }

    private static string[] Errors(string text) => [.. Bind(text, []).Errors.Select(e => $"{e.Key}: {e.Message}")];

    private static (DiscoverySettings Settings, ImmutableArray<ConfigError> Errors) Bind(string text, List<NamedFile> files)
    {
        TomlDocument document = TomlReader.Read(Encoding.UTF8.GetBytes(text));
        ErrorCollector errors = new(document.Errors);
        DiscoverySettings settings = DiscoveryBinding.Bind(new TableBinder(Schema, document.Root, "discovery", errors), files);
        return (settings, errors.InOrder());
    }
}
