using L4Balancer.Core.Config;

namespace L4Balancer.Core.Tests.Config;

/// <summary>Listeners with <c>mode = "packet"</c>: what they and their pools may have.</summary>
internal sealed class PacketSettingsTests
{
    [SetUp]
    public void SkipUntilItWorks()
    {
        if (ConfigSchema.Listener.IsReserved("mode"))
        {
            Assert.Ignore("packet listeners are not supported yet");
        }
    }

    [Test]
    public void A_packet_listener_is_read_with_its_defaults()
    {
        ListenerSettings listener = Packet().Load().Listeners.Single();

        Assert.That(listener.Mode, Is.EqualTo(ListenerMode.Packet));
        Assert.That(listener.Interface, Is.EqualTo("eth0"));
        Assert.That(listener.Forward, Is.EqualTo(PacketForward.L2));
        Assert.That(listener.Flows, Is.EqualTo(1_000_000));
        Assert.That(listener.SecondChance, Is.False);
    }

    [Test]
    public void Every_key_of_a_packet_listener_is_read()
    {
        ListenerSettings listener = Packet()
            .With("[[listeners]]", "forward", "\"ipip\"").With("[[listeners]]", "flows", "0")
            .With("[[listeners]]", "second_chance", "true").With("[[pools]]", "hash_key", "[\"source-ip\"]")
            .Load().Listeners.Single();

        Assert.That((listener.Forward, listener.Flows, listener.SecondChance), Is.EqualTo((PacketForward.Ipip, 0, true)));
    }

    [Test]
    public void A_second_chance_needs_a_tunnel() => AssertOne(
        Packet().With("[[listeners]]", "second_chance", "true"),
        "listeners[0].second_chance: needs forward = \"ipip\": the second backend is named in the outer header, which packets of \"l2\" do not have; "
        + "leave it out, or set forward");

    [TestCase("inspect", "\"tls\"")]
    [TestCase("accept_proxy_from", "[\"10.0.0.0/8\"]")]
    [TestCase("max_connections", "1")]
    [TestCase("max_connections_per_source", "1")]
    [TestCase("connection_rate_per_source", "1")]
    [TestCase("allow", "[\"10.0.0.0/8\"]")]
    [TestCase("deny", "[\"10.0.0.0/8\"]")]
    [TestCase("on_pool_down", "\"stop-listening\"")]
    public void What_is_decided_about_a_connection_is_refused(string key, string value) => AssertOne(
        Packet().With("[[listeners]]", key, value),
        $"listeners[0].{key}: is not for mode = \"packet\", which accepts no connection; leave it out, or use a relay listener");

    [Test]
    public void Routes_are_refused() => AssertOne(
        Packet().WithRoute("source", "[\"10.0.0.0/8\"]"), "listeners[0].routes: is not for mode = \"packet\"");

    [TestCase("\"unix:/run/a\"", "is a UNIX socket")]
    [TestCase("\"0.0.0.0:443\"", "is not a virtual address")]
    [TestCase("\"[::]:443\"", "is not a virtual address")]
    public void Other_addresses_than_virtual_ones_are_refused(string bind, string why)
    {
        string[] errors = Packet().With("[[listeners]]", "bind", $"[{bind}]").Errors();

        Assert.That(errors[0], Does.Contain("listeners[0].bind[0]: ").And.Contain(why).And.Contain("; allowed"));
    }

    [Test]
    public void A_port_of_the_systems_choice_is_refused() => Assert.That(
        Packet().With("[[listeners]]", "bind", "[\"192.0.2.10:0\"]").Errors()[0], Does.Contain("bind[0]: \"192.0.2.10:0\" is not a virtual address"));

    [TestCase("\"\"")]
    [TestCase("\"eth 0\"")]
    [TestCase("\"a/b\"")]
    [TestCase("\"..\"")]
    [TestCase("\"sixteencharacter\"")]
    public void What_is_no_interface_is_refused(string name) => AssertOne(
        Packet().With("[[listeners]]", "interface", name), "is not the name of a network interface, like \"eth0\"");

    [Test]
    public void An_interface_is_needed() => AssertOne(
        Packet().Without("[[listeners]]", "interface"), "listeners[0].interface: missing; needed: the name of a network interface");

    [TestCase("interface", "\"eth0\"")]
    [TestCase("forward", "\"ipip\"")]
    [TestCase("flows", "10")]
    [TestCase("second_chance", "true")]
    public void A_relay_listener_has_none_of_its_keys(string key, string value) => AssertOne(
        new ConfigText().With("[[listeners]]", key, value), $"listeners[0].{key}: is read only with mode = \"packet\"; leave it out, or set the mode");

    [TestCase("balance", "\"ring\"", "listener \"wss\" has mode = \"packet\", which chooses by \"maglev\" only")]
    [TestCase("hash_key", "[\"source-ip\", \"source-port\"]", "allowed with it: the whole tuple (the default), or [\"source-ip\"]")]
    [TestCase("hash_key", "[\"source-net\"]", "allowed with it: the whole tuple (the default), or [\"source-ip\"]")]
    [TestCase("bounded_load", "1.25", "leave it out, or use another pool")]
    [TestCase("new_connection_rate", "5", "leave it out, or use another pool")]
    [TestCase("max_age", "\"1h\"", "leave it out, or use another pool")]
    [TestCase("on_backend_down", "\"close\"", "leave it out, or use another pool")]
    [TestCase("on_backend_removed", "\"close\"", "leave it out, or use another pool")]
    [TestCase("close_rate", "5", "leave it out, or use another pool")]
    [TestCase("send_proxy", "\"v2\"", "leave it out, or use another pool")]
    [TestCase("transparent", "true", "leave it out, or use another pool")]
    public void What_its_pool_cannot_do_is_refused(string key, string value, string mend)
    {
        string error = Packet().With("[[pools]]", key, value).Errors().Single();

        Assert.That(error, Does.Contain($"pools[0].{key}: ").And.Contain("listener \"wss\" has mode = \"packet\"").And.EndsWith(mend));
    }

    [Test]
    public void Maglev_has_to_be_asked_for() => AssertOne(
        Packet().Without("[[pools]]", "balance"), "pools[0].balance: missing; needed: \"maglev\", because listener \"wss\" has mode = \"packet\"");

    [Test]
    public void A_table_of_keys_is_refused() => AssertOne(
        Packet().With("[pools.sticky]", "ttl", "\"1m\""), "pools[0].sticky.ttl: listener \"wss\" has mode = \"packet\", which remembers its flows by itself");

    [TestCase("max_connections", "5", "counts connections, and listener \"wss\" has mode = \"packet\"")]
    [TestCase("backup", "true", "listener \"wss\" has mode = \"packet\", which knows no backups")]
    [TestCase("address", "\"10.0.1.21:8443\"", "has port 8443, and listener \"wss\" has mode = \"packet\", whose packets keep their destination port; needed: port 443")]
    [TestCase("address", "\"host.name:80\"", "has port 80")]
    [TestCase("address", "\"unix:/run/ws1.sock\"", "is a UNIX socket")]
    public void What_its_backends_cannot_do_is_refused(string key, string value, string why) => AssertOne(
        Packet().With("[[pools.backends]]", key, value), $"pools[0].backends[0].{key}: {why}");

    [Test]
    public void A_range_of_ports_has_no_backend_for_all_of_them() => AssertOne(
        Packet().With("[[listeners]]", "bind", "[\"192.0.2.10:443-444\"]"), "has port 443, and listener \"wss\" has mode = \"packet\"");

    [Test]
    public void A_pool_without_packet_listeners_may_have_all_of_it() => new ConfigText()
        .With("[[pools]]", "bounded_load", "1.25").With("[[pools]]", "max_age", "\"1h\"").With("[[pools.backends]]", "backup", "true").Load();

    private static void AssertOne(ConfigText text, string expected) => Assert.That(text.Errors().Single(), Does.Contain(expected));

    private static ConfigText Packet() => new ConfigText().WithPacket("mode", "\"packet\"");
}
