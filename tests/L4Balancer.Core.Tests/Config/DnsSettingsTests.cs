using L4Balancer.Core.Config;

namespace L4Balancer.Core.Tests.Config;

/// <summary>The table <c>[dns]</c>.</summary>
internal sealed class DnsSettingsTests
{
    [Test]
    public void Every_key_is_read()
    {
        DnsSettings dns = Read("""
            listen = ["192.0.2.1:53", "[2001:db8::1]:53"]
            zone = "LB.example.com."
            rate_per_source = 0
            ttl = "1m"
            address = ["192.0.2.1", "2001:db8::1"]
            """);

        Assert.That(dns.Listen.Select(l => l.ToString()), Is.EqualTo(new[] { "192.0.2.1:53", "[2001:db8::1]:53" }));
        Assert.That(dns.Address.Select(a => a.ToString()), Is.EqualTo(new[] { "192.0.2.1", "2001:db8::1" }));
        Assert.That((dns.Zone, dns.RatePerSource, dns.Ttl), Is.EqualTo(("lb.example.com", 0, TimeSpan.FromMinutes(1))));
    }

    [Test]
    public void Without_the_table_there_is_no_name_server() => Assert.That(new ConfigText().Load().Dns, Is.Null);

    [Test]
    public void What_is_needed_is_told()
    {
        Assert.That(Errors(""), Is.EqualTo(new[]
        {
            "1:1 dns.listen: missing; needed: an IP address with a port, like \"0.0.0.0:53\", or an array of such",
            "1:1 dns.zone: missing; needed: a domain name, like \"lb.example.com\"",
        }));
        Assert.That(Errors("zone = \"a\"\nlisten = []").Single(), Does.Contain("dns.listen: is empty"));
        Assert.That(Errors("zone = \"a\"\nlisten = 53").Single(), Does.Contain("dns.listen: must be an IP address with a port"));
    }

    [TestCase("")]
    [TestCase(".")]
    [TestCase("a..b")]
    [TestCase("-a.b")]
    [TestCase("a-.b")]
    [TestCase("a b")]
    [TestCase("ä.example")]
    [TestCase("*.example.com")]
    [TestCase("192.0.2.1")]
    [TestCase("0123456789012345678901234567890123456789012345678901234567890123.com")]
    public void What_is_no_zone_is_an_error(string zone) =>
        Assert.That(Errors($"listen = \"0.0.0.0:53\"\nzone = \"{zone}\"").Single(), Does.Contain($"dns.zone: \"{zone}\" is not a domain name"));

    [Test]
    public void A_zone_leaves_room_for_the_names_below_it()
    {
        string zone = string.Join('.', Enumerable.Repeat("abcdefghi", 12));
        Assert.That(Errors($"listen = \"0.0.0.0:53\"\nzone = \"{zone}\""), Is.Empty, "119 characters");
        Assert.That(Errors($"listen = \"0.0.0.0:53\"\nzone = \"{zone}ij\""), Has.Length.EqualTo(1));
    }

    [TestCase("address = [\"0.0.0.0\"]", "is the wildcard address")]
    [TestCase("address = [\"192.0.2.1\", \"192.0.2.1\"]", "is already used")]
    [TestCase("address = [\"fe80::1\"]", "link-local")]
    [TestCase("address = \"192.0.2.1\"", "must be an array of IP addresses")]
    [TestCase("ttl = \"500ms\"", "out of range")]
    [TestCase("ttl = \"1.5s\"", "not a whole number of seconds")]
    [TestCase("rate_per_source = -1", "out of range")]
    public void What_is_out_of_range_is_told(string line, string message) =>
        Assert.That(Errors("listen = \"0.0.0.0:53\"\nzone = \"lb\"\n" + line).Single(), Does.Contain(message));

    [Test]
    public void Its_addresses_must_not_be_those_of_a_listener() => Assert.That(
        Errors("listen = \"0.0.0.0:443\"\nzone = \"lb\"").Single(), Does.Contain("\"0.0.0.0:443\" is already bound at 2:10"));

    private static DnsSettings Read(string keys) => ConfigText.Load($"[dns]\n{keys}\n{new ConfigText()}").Dns!;

    private static string[] Errors(string keys) => ConfigText.Errors($"[dns]\n{keys}\n{new ConfigText()}");
}
