using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;

namespace L4Balancer.Core.Tests.Config;

/// <summary>A balancer is not to connect to itself: one client would become as many connections as it may hold.</summary>
internal sealed class OwnListenerTests
{
    private static readonly HostAddress Here = HostAddress.FromV4(0x0A00_0005);

    [TestCase("10.0.0.5:443", "10.0.0.5:443")]
    [TestCase("[::ffff:10.0.0.5]:443", "10.0.0.5:443")]
    [TestCase("10.0.0.5:443", "[::ffff:10.0.0.5]:443")]
    [TestCase("[2001:db8::1]:443", "[2001:DB8:0::1]:443")]
    [TestCase("0.0.0.0:443", "127.0.0.1:443")]
    [TestCase("0.0.0.0:443", "127.200.3.4:443")]
    [TestCase("0.0.0.0:443", "[::ffff:127.0.0.1]:443")]
    [TestCase("[::]:443", "[::1]:443")]
    [TestCase("unix:/run/chat.sock", "unix:/run/chat.sock")]
    public void A_backend_that_is_a_listener_is_an_error_of_the_file(string bind, string address)
    {
        string[] errors = Text(bind, address).Errors();

        Assert.That(errors, Has.Length.EqualTo(1));
        Assert.That(errors[0], Does.Match(@"^\d+:11 pools\[0\]\.backends\[0\]\.address: "));
        Assert.That(errors[0], Does.Contain("listener wss (").And.Contain("connects to itself; specify the address of another server"));
    }

    [TestCase("0.0.0.0:443", "127.0.0.1:444")]
    [TestCase("0.0.0.0:443", "[::1]:443")]
    [TestCase("[::]:443", "127.0.0.1:443")]
    [TestCase("127.0.0.1:443", "127.0.0.2:443")]
    [TestCase("0.0.0.0:443", "10.0.0.5:443")]
    [TestCase("127.0.0.1:0", "127.0.0.1:443")]
    public void Any_other_address_is_not(string bind, string address) => Assert.That(Text(bind, address).Errors(), Is.Empty);

    [TestCase("tcp", 1)]
    [TestCase("none", 0)]
    public void Probes_of_a_port_that_a_listener_has_are_an_error_once(string type, int count)
    {
        string text = $$"""
            [[listeners]]
            name = "wss"
            bind = ["0.0.0.0:443"]
            pool = "chat"
            [[pools]]
            name = "chat"
            health = { type = "{{type}}", port = 443 }
            backends = [{ name = "a", address = "127.0.0.1:80" }, { name = "b", address = "127.0.0.2:80" }]
            """;
        string[] errors = ConfigText.Errors(text);

        Assert.That(errors, Has.Length.EqualTo(count));
        Assert.That(errors, Has.All.StartsWith("7:").And.All.Contains("pools[0].health.port: probes of \"127.0.0.1:443\" would reach listener wss (0.0.0.0:443)"));
    }

    [Test]
    public void A_wildcard_takes_every_address_of_the_host_and_the_wildcard_as_destination_is_loopback()
    {
        OwnListeners own = OwnListeners.Of(Text("0.0.0.0:443", "10.0.0.9:80").Load().Listeners, address => address == Here);
        OwnListeners single = OwnListeners.Of(Text("127.0.0.1:443", "10.0.0.9:80").Load().Listeners);

        Assert.That(own.At(new Endpoint(Here, 443))?.Name, Is.EqualTo("wss"));
        Assert.That(own.At(new Endpoint(Here, 444)), Is.Null);
        Assert.That(own.At(new Endpoint(HostAddress.FromV4(0x0A00_0006), 443)), Is.Null);
        Assert.That(single.At(new Endpoint(HostAddress.Any4, 443))?.Name, Is.EqualTo("wss"));
        Assert.That(single.At(new Endpoint(HostAddress.Any6, 443)), Is.Null);
    }

    [Test]
    public void Of_a_name_that_resolves_to_a_listener_and_to_others_the_others_are_used()
    {
        BalancerConfig config = Text("0.0.0.0:443", "app.test:443").Load();
        OwnListeners own = OwnListeners.Of(config.Listeners, address => address == Here);
        HostName name = config.Pools[0].Backends[0].Host!.Value;
        HostAddress other = HostAddress.FromV4(0x0A00_0007);

        Assert.That(Answer(Here, other)?.Current, Is.EqualTo(other));
        Assert.That(Answer(Here, other)?.Others, Is.Empty);
        Assert.That(Answer(Here), Is.Null);
        Assert.That(SelfConnects.In(config, own, Answers(Here, other)), Is.Empty);
        Assert.That(SelfConnects.In(config, own, Answers(Here)).Single(), Does.StartWith("pool chat: backend ws1 (app.test:443)"));
        Assert.That(SelfConnects.In(config, own, Answers()), Is.Empty);

        NameAddresses? Answer(params HostAddress[] found) => Resolutions.None.After(config, Answers(found), own)["chat", name];
        static Dictionary<string, NameAnswer> Answers(params HostAddress[] found) => new() { ["app.test"] = new NameAnswer([.. found], "") };
    }

    [Test]
    public void A_name_is_not_resolved_to_where_its_probes_would_reach_a_listener()
    {
        BalancerConfig config = Text("0.0.0.0:443", "app.test:80").With("[pools.health]", "port", "443").Load();
        OwnListeners own = OwnListeners.Of(config.Listeners, address => address == Here);
        var answers = new Dictionary<string, NameAnswer> { ["app.test"] = new NameAnswer([Here], "") };

        Assert.That(Resolutions.None.After(config, answers, own)["chat", config.Pools[0].Backends[0].Host!.Value], Is.Null);
        Assert.That(SelfConnects.In(config, own, answers), Has.Length.EqualTo(1));
    }

    private static ConfigText Text(string bind, string address) => new ConfigText()
        .With("[[listeners]]", "bind", $"[\"{bind}\"]").With("[[pools.backends]]", "address", $"\"{address}\"");
}
