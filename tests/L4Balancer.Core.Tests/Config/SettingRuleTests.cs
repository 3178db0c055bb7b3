using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;

namespace L4Balancer.Core.Tests.Config;

/// <summary>The type and range of every key, each put alone into a file that is right otherwise.</summary>
internal sealed class SettingRuleTests
{
    private const string NoCongestionControl =
        " is not a congestion control name; allowed: \"\" for the system default, or 1 to 15 characters of a-z 0-9 _";

    private const string NoHostName =
        " is not a host name, like \"lb1.example.com\"; allowed: letters, digits, hyphens and dots, without a port";

    private const string NoPath =
        " is not a path that begins with /, like \"/healthz\"; allowed: 1 to 2048 visible ASCII characters except #";

    private const string NoStatus = " is not status codes, like \"200-399\" or \"200, 204, 301-302\"; allowed: 100 to 599";

    private const string Range = " is out of range; allowed: ";

    [TestCase("[balancer]", "workers", "1024")]
    [TestCase("[balancer]", "max_connections", "2147483647")]
    [TestCase("[balancer]", "shutdown_grace", "\"365d\"")]
    [TestCase("[balancer]", "shutdown_grace", "\"0s\"")]
    [TestCase("[balancer]", "log_format", "\"journal\"")]
    [TestCase("[admin]", "hosts", "[]")]
    [TestCase("[admin]", "hosts", "[\"lb1\", \"LB-1.example.com\", \"a_b.internal\", \"1.example\"]")]
    [TestCase("[metrics]", "listen", "\"127.0.0.1:0\"")]
    [TestCase("[endpoint]", "allow_origins", "[\"*\", \"https://chat.example.com:8443\", \"capacitor://localhost\", \"HTTP://[2001:db8::1]\"]")]
    [TestCase("[endpoint]", "rate_per_source", "1000000")]
    [TestCase("[endpoint]", "ttl", "\"1h\"")]
    [TestCase("[[listeners]]", "name", "\"A-z.0_9\"")]
    [TestCase("[[listeners]]", "bind", "[\"127.0.0.1:0\", \"127.0.0.1:0\"]")]
    [TestCase("[[listeners]]", "bind", "[\"0.0.0.0:443\", \"[::]:443\", \"0.0.0.0:444\"]")]
    [TestCase("[[listeners]]", "bind", "[\"10.0.0.1:443\", \"10.0.0.2:443\", \"[::]:443\"]")]
    [TestCase("[[listeners]]", "bind", "[\"127.0.0.1:1-1000\"]")]
    [TestCase("[[listeners]]", "bind", "[\"[::1]:65534-65535\", \"unix:/run/a\", \"unix:/run/b\"]")]
    [TestCase("[[listeners]]", "allow", "[\"unix\"]")]
    [TestCase("[[listeners]]", "mptcp", "true")]
    [TestCase("[[listeners]]", "backlog", "65535")]
    [TestCase("[[listeners]]", "user_timeout", "\"24d\"")]
    [TestCase("[balancer]", "engine", "\"epoll\"")]
    [TestCase("[[listeners]]", "defer_accept", "\"300s\"")]
    [TestCase("[[listeners]]", "congestion_control", "\"fifteen_letters\"")]
    [TestCase("[[pools]]", "congestion_control", "\"\"")]
    [TestCase("[[listeners]]", "send_buffer", "\"0\"")]
    [TestCase("[[listeners]]", "receive_buffer", "\"4KiB\"")]
    [TestCase("[[pools]]", "send_buffer", "\"1GiB\"")]
    [TestCase("[[pools]]", "receive_buffer", "\"131072B\"")]
    [TestCase("keepalive", "idle", "\"32767s\"")]
    [TestCase("keepalive", "interval", "\"1000ms\"")]
    [TestCase("keepalive", "count", "127")]
    [TestCase("[[pools]]", "source_ips", "[\"10.0.0.5\", \"2001:db8::5\"]")]
    [TestCase("[[pools]]", "connect_timeout", "\"0s\"")]
    [TestCase("[pools.health]", "type", "\"mqtts\"")]
    [TestCase("[pools.health]", "send", "\"PING\\r\\n\\u0000\"")]
    [TestCase("[pools.health]", "expect", "\"+PONG\"")]
    [TestCase("[[pools.backends]]", "address", "\"unix:/run/ws1.sock\"")]
    [TestCase("[pools.health]", "jitter", "0")]
    [TestCase("[pools.health]", "jitter", "0.5")]
    [TestCase("[pools.health]", "timeout", "\"1h\"")]
    [TestCase("[pools.passive]", "failures", "0")]
    [TestCase("[pools.passive]", "retry", "\"10ms\"")]
    [TestCase("[pools.passive]", "early_close", "\"0s\"")]
    [TestCase("[pools.passive]", "early_close", "\"1h\"")]
    [TestCase("[pools.health]", "path", "\"/a?b=%20c&d\"")]
    [TestCase("[pools.health]", "host", "\"chat.example.com:8443\"")]
    [TestCase("[pools.health]", "host", "\"[2001:db8::1]\"")]
    [TestCase("[pools.health]", "status", "\"100-599\"")]
    [TestCase("[pools.health]", "status", "\"200,204, 301-302\"")]
    [TestCase("[pools.health]", "ca_file", "\"\"")]
    [TestCase("[[pools.backends]]", "weight", "0")]
    [TestCase("[[pools.backends]]", "address", "\"[2001:db8::1]:65535\"")]
    public void A_value_at_the_edge_of_its_range_is_taken(string header, string key, string value) =>
        Assert.That(new ConfigText().With(header, key, value).Errors(), Is.Empty);

    [TestCase("[balancer]", "workers", "-1", "-1" + Range + "0 to 1024")]
    [TestCase("[balancer]", "workers", "1025", "1025" + Range + "0 to 1024")]
    [TestCase("[balancer]", "workers", "\"4\"", "must be a whole number from 0 to 1024, not a string")]
    [TestCase("[balancer]", "workers", "4.0", "must be a whole number from 0 to 1024, not a float")]
    [TestCase("[balancer]", "engine", "\"Auto\"", "\"Auto\" is not known; allowed: \"auto\", \"epoll\", \"managed\"")]
    [TestCase("[balancer]", "max_connections", "-1", "-1" + Range + "0 to 2147483647")]
    [TestCase("[balancer]", "max_connections", "9223372036854775807", "9223372036854775807" + Range + "0 to 2147483647")]
    [TestCase("[balancer]", "shutdown_grace", "\"366d\"", "\"366d\"" + Range + "\"0s\" to \"365d\"")]
    [TestCase("[balancer]", "shutdown_grace", "-5", "-5 has no unit; a duration is a string with its unit, like \"30s\"")]
    [TestCase("[balancer]", "access_log", "true", "must be one of \"off\", \"failures\", \"all\", not a boolean")]
    [TestCase("[balancer]", "log_format", "\"xml\"", "\"xml\" is not known; allowed: \"text\", \"json\", \"journal\"")]
    [TestCase(
        "[balancer]", "log_level", "\"warn\"", "\"warn\" is not known; allowed: \"trace\", \"debug\", \"info\", \"warning\", \"error\"")]
    [TestCase("[admin]", "hosts", "\"lb1\"", "must be an array of host names, like [\"lb1.example.com\"], not a string")]
    [TestCase("[metrics]", "listen", "\"\"", "\"\" is not an IP address with a port, like \"10.0.0.1:443\" or \"[2001:db8::1]:443\"")]
    [TestCase("[endpoint]", "listen", "\"\"", "\"\" is not an IP address with a port, like \"10.0.0.1:443\" or \"[2001:db8::1]:443\"")]
    [TestCase("[endpoint]", "allow_origins", "\"*\"", "must be an array of origins, like [\"https://chat.example.com\"], or [\"*\"], not a string")]
    [TestCase("[endpoint]", "rate_per_source", "-1", "-1" + Range + "0 to 1000000")]
    [TestCase("[endpoint]", "ttl", "\"0s\"", "\"0s\"" + Range + "\"1s\" to \"1h\"")]
    [TestCase("[endpoint]", "cert_file", "\"/c.pem\"", "needs key_file, the PEM key of this certificate")]
    [TestCase("[endpoint]", "key_file", "\"/k.pem\"", "needs cert_file, the PEM certificate of this key")]
    [TestCase("[endpoint]", "secret_file", "\"secret\"", "\"secret\" is not a path; allowed: an absolute path of at most 4095 bytes")]
    [TestCase("[[listeners]]", "name", "\"\"", "\"\" is not a name; allowed: 1 to 64 characters of A-Z a-z 0-9 . _ -")]
    [TestCase("[[listeners]]", "name", "\"a/b\"", "\"a/b\" is not a name; allowed: 1 to 64 characters of A-Z a-z 0-9 . _ -")]
    [TestCase("[[listeners]]", "name", "\"é\"", "\"é\" is not a name; allowed: 1 to 64 characters of A-Z a-z 0-9 . _ -")]
    [TestCase("[[listeners]]", "bind", "[]", "is empty; needed: an array of addresses with a port, like [\"0.0.0.0:443\", \"[::]:443\"]")]
    [TestCase(
        "[[listeners]]", "bind", "\"0.0.0.0:443\"",
        "must be an array of addresses with a port, like [\"0.0.0.0:443\", \"[::]:443\"], not a string")]
    [TestCase("[[listeners]]", "backlog", "0", "0" + Range + "1 to 65535")]
    [TestCase("[[listeners]]", "backlog", "65536", "65536" + Range + "1 to 65535")]
    [TestCase("[[listeners]]", "max_connections", "-1", "-1" + Range + "0 to 2147483647")]
    [TestCase("[[listeners]]", "keepalive", "\"60s\"", "must be an inline table like { idle = \"60s\" }, not a string")]
    [TestCase("[[listeners]]", "user_timeout", "\"25d\"", "\"25d\"" + Range + "\"0s\" to \"24d\"")]
    [TestCase("[[listeners]]", "defer_accept", "\"301s\"", "\"301s\"" + Range + "\"0s\" to \"5m\"")]
    [TestCase("[[listeners]]", "defer_accept", "\"1.5s\"", "\"1500ms\" is not a whole number of seconds; allowed: \"0s\" to \"5m\"")]
    [TestCase("[[listeners]]", "congestion_control", "\"BBR\"", "\"BBR\"" + NoCongestionControl)]
    [TestCase("[[listeners]]", "congestion_control", "\"sixteen_letters_\"", "\"sixteen_letters_\"" + NoCongestionControl)]
    [TestCase("[[pools]]", "congestion_control", "\"cu bic\"", "\"cu bic\"" + NoCongestionControl)]
    [TestCase("[[listeners]]", "send_buffer", "\"4095B\"", "\"4095B\"" + Range + "\"0\", or \"4KiB\" to \"1GiB\"")]
    [TestCase("[[listeners]]", "receive_buffer", "131072", "must be a size: a string like \"16KiB\", \"64MiB\" or \"1GiB\", not an integer")]
    [TestCase("[[pools]]", "send_buffer", "\"2GiB\"", "\"2GiB\"" + Range + "\"0\", or \"4KiB\" to \"1GiB\"")]
    [TestCase("[[pools]]", "receive_buffer", "\"3KiB\"", "\"3KiB\"" + Range + "\"0\", or \"4KiB\" to \"1GiB\"")]
    [TestCase("[[pools]]", "congestion_control", "3", "must be a name like \"cubic\", not an integer")]
    [TestCase("[[pools]]", "balance", "\"rings\"", "\"rings\" is not known; allowed: \"ring\", \"maglev\", \"least-connections\", \"random-two\", \"round-robin\"")]
    [TestCase(
        "[[pools]]", "hash_key", "[]",
        "is empty; needed: an array of \"source-ip\", \"source-port\", \"destination-ip\", \"destination-port\", \"source-net\", \"sni\", \"http-path\", \"http-path:N\", \"http-header:NAME\", \"http-cookie:NAME\", \"http-query:NAME\"")]
    [TestCase("[[pools]]", "source_net", "24", "must be an inline table like { v4 = 24, v6 = 64 }, not an integer")]
    [TestCase("[balancer]", "access_log_every", "\"500ms\"", "\"500ms\"" + Range + "\"0s\", or \"1s\" to \"24d\"")]
    [TestCase("[pools.sticky]", "entries", "0", "0" + Range + "1 to 10000000")]
    [TestCase("[pools.sticky]", "ttl", "\"400d\"", "\"400d\"" + Range + "\"0s\" to \"365d\"")]
    [TestCase("[[pools]]", "bounded_load", "1", "1" + Range + "0, or 1.01 to 100")]
    [TestCase("[[pools]]", "bounded_load", "101", "101" + Range + "0 to 100")]
    [TestCase("[pools.passive]", "failures", "-1", "-1" + Range + "0 to 1000000")]
    [TestCase("[pools.passive]", "early_close", "\"61m\"", "\"61m\"" + Range + "\"0s\" to \"1h\"")]
    [TestCase("[pools.passive]", "retry", "\"0s\"", "\"0s\"" + Range + "\"10ms\" to \"24d\"")]
    [TestCase("[[pools]]", "panic_threshold", "1.1", "1.1" + Range + "0 to 1")]
    [TestCase("[[pools]]", "slow_start", "\"400d\"", "\"400d\"" + Range + "\"0s\" to \"365d\"")]
    [TestCase("[[pools.backends]]", "max_connections", "-1", "-1" + Range + "0 to 2147483647")]
    [TestCase("[[pools]]", "connect_timeout", "\"25d\"", "\"25d\"" + Range + "\"0s\" to \"24d\"")]
    [TestCase("[[pools]]", "connect_attempts", "0", "0" + Range + "1 to 16")]
    [TestCase("[[pools]]", "connect_attempts", "17", "17" + Range + "1 to 16")]
    [TestCase("[[pools]]", "idle_timeout", "\"365.5d\"", "\"365.5d\"" + Range + "\"0s\" to \"365d\"")]
    [TestCase("[[pools]]", "half_close_timeout", "\"400d\"", "\"400d\"" + Range + "\"0s\" to \"365d\"")]
    [TestCase("[[pools]]", "user_timeout", "\"600h\"", "\"600h\"" + Range + "\"0s\" to \"24d\"")]
    [TestCase(
        "[pools.health]", "type", "\"icmp\"",
        "\"icmp\" is not known; allowed: \"none\", \"tcp\", \"tls\", \"http\", \"https\", \"ws\", \"wss\", \"mqtt\", \"mqtts\"")]
    [TestCase("[pools.health]", "expect", "5", "must be a string, with escapes as in \"PING\\r\\n\", not an integer")]
    [TestCase("[[listeners]]", "mptcp", "1", "must be true or false, not an integer")]
    [TestCase("[pools.health]", "fast_interval", "\"9ms\"", "\"9ms\"" + Range + "\"10ms\" to \"24d\"")]
    [TestCase("[pools.health]", "down_interval", "\"25d\"", "\"25d\"" + Range + "\"10ms\" to \"24d\"")]
    [TestCase("[pools.health]", "path", "\"healthz\"", "\"healthz\"" + NoPath)]
    [TestCase("[pools.health]", "path", "\"/a b\"", "\"/a b\"" + NoPath)]
    [TestCase("[pools.health]", "path", "\"/a#b\"", "\"/a#b\"" + NoPath)]
    [TestCase("[pools.health]", "host", "\"a b\"", "\"a b\" is not a host name, like \"chat.example.com\"; allowed: also with a port, or \"\" for the address as written")]
    [TestCase("[pools.health]", "status", "\"2xx\"", "\"2xx\"" + NoStatus)]
    [TestCase("[pools.health]", "status", "\"200-600\"", "\"200-600\"" + NoStatus)]
    [TestCase("[pools.health]", "status", "\"300-200\"", "\"300-200\"" + NoStatus)]
    [TestCase("[pools.health]", "status", "\"\"", "\"\"" + NoStatus)]
    [TestCase("[pools.health]", "status", "200", "must be status codes, like \"200-399\" or \"200, 204, 301-302\", not an integer")]
    [TestCase("[pools.health]", "verify", "\"yes\"", "must be true or false, not a string")]
    [TestCase("[pools.health]", "ca_file", "\"ours.pem\"", "\"ours.pem\" is not the absolute path of a file of PEM certificates, like \"/etc/ssl/ours.pem\"")]
    [TestCase("[pools.health]", "interval", "\"9ms\"", "\"9ms\"" + Range + "\"10ms\" to \"24d\"")]
    [TestCase("[pools.health]", "interval", "\"0s\"", "\"0s\"" + Range + "\"10ms\" to \"24d\"")]
    [TestCase("[pools.health]", "timeout", "\"0s\"", "\"0s\"" + Range + "\"1ms\" to \"24d\"")]
    [TestCase("[pools.health]", "jitter", "0.51", "0.51" + Range + "0 to 0.5")]
    [TestCase("[pools.health]", "jitter", "-1", "-1" + Range + "0 to 0.5")]
    [TestCase("[pools.health]", "jitter", "nan", "NaN" + Range + "0 to 0.5")]
    [TestCase("[pools.health]", "jitter", "\"10%\"", "must be a number from 0 to 0.5, not a string")]
    [TestCase("[pools.health]", "rise", "0", "0" + Range + "1 to 100")]
    [TestCase("[pools.health]", "fall", "101", "101" + Range + "1 to 100")]
    [TestCase("[pools.health]", "port", "65536", "65536" + Range + "0 to 65535")]
    [TestCase("[[pools.backends]]", "weight", "1001", "1001" + Range + "0 to 1000")]
    [TestCase("[[pools.backends]]", "weight", "-1", "-1" + Range + "0 to 1000")]
    [TestCase("[[pools.backends]]", "backup", "\"yes\"", "must be true or false, not a string")]
    [TestCase("[[pools.backends]]", "backup", "2026-11-20", "must be true or false, not a date or time")]
    [TestCase("[[pools.backends]]", "address", "\"10.0.0.1:0\"", "\"10.0.0.1:0\" has a port out of range; allowed: 1 to 65535")]
    public void A_wrong_value_is_told_with_what_is_allowed(string header, string key, string value, string message)
    {
        string text = new ConfigText().With(header, key, value).ToString();
        ConfigError error = ConfigText.Read(text).Errors.Single();

        using (Assert.EnterMultipleScope())
        {
            Assert.That(error.Message, Is.EqualTo(message));
            Assert.That(error.Key, Does.EndWith("." + key));
            Assert.That(Rest(text, error), Does.StartWith(value), "the place is that of the value");
        }
    }

    [TestCase("idle", "\"500ms\"", "\"500ms\" is not a whole number of seconds; allowed: \"0s\" to \"32767s\"")]
    [TestCase("idle", "\"32768s\"", "\"32768s\"" + Range + "\"0s\" to \"32767s\"")]
    [TestCase("interval", "\"0s\"", "\"0s\"" + Range + "\"1s\" to \"32767s\"")]
    [TestCase("interval", "\"1.5s\"", "\"1500ms\" is not a whole number of seconds; allowed: \"1s\" to \"32767s\"")]
    [TestCase("count", "0", "0" + Range + "1 to 127")]
    [TestCase("count", "128", "128" + Range + "1 to 127")]
    public void Keepalive_keeps_to_what_the_kernel_takes(string key, string value, string message)
    {
        string inListener = new ConfigText().With("keepalive", key, value).Errors().Single();
        string inPool = new ConfigText().With("[[pools]]", "keepalive", $"{{ {key} = {value} }}").Errors().Single();

        Assert.That(inListener, Does.EndWith($" listeners[0].keepalive.{key}: {message}"));
        Assert.That(inPool, Does.EndWith($" pools[0].keepalive.{key}: {message}"));
    }

    [TestCase("10.0.0.1", "has no port; write it as in \"10.0.0.1:443\"; allowed: ")]
    [TestCase("10.0.0.1:", "has a port out of range, \"\"; a port is a number from 1 to 65535; allowed: ")]
    [TestCase(":443", "has no address before its port; for all addresses write \"0.0.0.0:443\" and \"[::]:443\"; allowed: ")]
    [TestCase("*:443", "has * for its host; for all addresses write \"0.0.0.0:443\" and \"[::]:443\"; allowed: ")]
    [TestCase("10.0.0.1:65536", "has a port out of range, \"65536\"; a port is a number from 1 to 65535; allowed: ")]
    [TestCase("10.0.0.1:-1", "has a port out of range, \"-1\"; a port is a number from 1 to 65535; allowed: ")]
    [TestCase("10.0.0.256:443", "is not ")]
    [TestCase("10.0.0:443", "is not ")]
    [TestCase("010.0.0.1:443", "is not ")]
    [TestCase("2001:db8::1", "has no port, and an IPv6 address needs brackets before one, as in \"[2001:db8::1]:443\"; allowed: ")]
    [TestCase("2001:db8::1:65443", "has more than one colon; an IPv6 address needs brackets, as in \"[2001:db8::1]:65443\"; allowed: ")]
    [TestCase("[2001:db8::1]", "has no port; write it as in \"[2001:db8::1]:443\"; allowed: ")]
    [TestCase("[10.0.0.1]:443", "is not ")]
    [TestCase("10.0.0.1:443 ", "has white space in it; allowed: ")]
    [TestCase("http://ws1:443", "is a URL; leave out what stands before and after the host and the port; allowed: ")]
    public void An_address_that_is_none_is_refused_everywhere_with_what_is_wrong(string address, string fault)
    {
        const string Form = "an IP address with a port, like \"10.0.0.1:443\" or \"[2001:db8::1]:443\"";
        string expected = $": \"{address}\" {fault}{Form}";

        using (Assert.EnterMultipleScope())
        {
            Assert.That(new ConfigText().With("[metrics]", "listen", $"\"{address}\"").Errors().Single(), Does.EndWith(expected));
            Assert.That(
                new ConfigText().With("[[listeners]]", "bind", $"[\"{address}\"]").Errors().Single(),
                Does.EndWith(expected + ", a range of ports, like \"0.0.0.0:27000-27099\", or a UNIX socket, like \"unix:/run/chat.sock\""));
            Assert.That(
                new ConfigText().With("[[pools.backends]]", "address", $"\"{address}\"").Errors().Single(),
                Does.Contain($": \"{address}\" ").And.Contain("an IP address or a host name with a port, like \"10.0.0.1:443\""));
        }
    }

    [TestCase("[fe80::1%eth0]:443", "names an interface: scoped addresses (%eth0) are not supported; use an address that is not link-local")]
    [TestCase("[2001:db8::1%2]:443", "names an interface: scoped addresses (%eth0) are not supported")]
    [TestCase("[fe80::1]:443", "is a link-local address, which needs its interface, and scoped addresses (%eth0) are not supported")]
    [TestCase("[febf:ffff::1]:443", "is a link-local address")]
    public void A_link_local_address_is_refused_everywhere_and_says_that_no_interface_can_be_named(string address, string expected)
    {
        string bare = address[1..^5];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(new ConfigText().With("[metrics]", "listen", $"\"{address}\"").Errors().Single(), Does.Contain($": \"{address}\" {expected}"));
            Assert.That(new ConfigText().With("[[listeners]]", "bind", $"[\"{address}\"]").Errors().Single(), Does.Contain($": \"{address}\" {expected}"));
            Assert.That(new ConfigText().With("[[pools.backends]]", "address", $"\"{address}\"").Errors().Single(), Does.Contain($": \"{address}\" {expected}"));
            Assert.That(new ConfigText().With("[[pools]]", "source_ips", $"[\"{bare}\"]").Errors().Single(), Does.Contain($": \"{bare}\" {expected}"));
        }
    }

    [TestCase("[fec0::1]:443")]
    [TestCase("[fe00::1]:443")]
    [TestCase("[fd00::1]:443")]
    [TestCase("169.254.1.1:443")]
    public void Other_addresses_of_a_site_are_no_link_local_ones(string address) =>
        Assert.That(new ConfigText().With("[[pools.backends]]", "address", $"\"{address}\"").Load().Pools[0].Backends[0].Address, Is.EqualTo(address));

    [TestCase("::ffff:10.0.0.0/104", "is a range of IPv4 addresses in IPv6 form; write \"10.0.0.0/8\"")]
    [TestCase("::ffff:10.1.2.3/104", "is a range of IPv4 addresses in IPv6 form; write \"10.0.0.0/8\"")]
    [TestCase("::ffff:192.0.2.7/128", "is a range of IPv4 addresses in IPv6 form; write \"192.0.2.7/32\"")]
    [TestCase("::ffff:10.0.0.0/95", "is not an address range")]
    [TestCase("2001:db8::/129", "is not an address range")]
    public void A_range_of_IPv4_addresses_in_IPv6_form_is_refused_with_the_text_to_write(string range, string expected)
    {
        using (Assert.EnterMultipleScope())
        {
            foreach (string key in new[] { "allow", "deny" })
            {
                Assert.That(new ConfigText().With("[[listeners]]", key, $"[\"{range}\"]").Errors().Single(), Does.Contain($"\"{range}\" {expected}"));
            }
        }
    }

    [TestCase("chat.example.com")]
    [TestCase("https://chat.example.com/")]
    [TestCase("https://*.example.com")]
    [TestCase("https://a@b.example")]
    [TestCase("https://")]
    [TestCase("null")]
    public void What_is_no_origin_is_told(string origin) => Assert.That(
        new ConfigText().With("[endpoint]", "allow_origins", $"[\"{origin}\"]").Errors().Single(),
        Does.EndWith($"endpoint.allow_origins[0]: \"{origin}\" is not an origin, like \"https://chat.example.com\", or \"*\""));

    [Test]
    public void Early_close_without_passive_checks_is_told()
    {
        ConfigText text = new ConfigText().With("[pools.passive]", "early_close", "\"1s\"").With("[pools.passive]", "failures", "0");

        Assert.That(text.Errors().Single(), Does.Contain("passive.early_close: has no effect, because failures = 0"));
    }

    [TestCase("ws1.example.com:8443")]
    [TestCase("localhost:80")]
    [TestCase("ws-1.example.com.:80")]
    [TestCase("10.example:80")]
    [TestCase("WS1.Example.COM:80")]
    [TestCase("chat_app_1:9002")]
    public void A_host_name_is_a_backend_as_written(string address)
    {
        BackendSettings backend = new ConfigText().With("[[pools.backends]]", "address", $"\"{address}\"").Load().Pools[0].Backends[0];

        Assert.That(backend.Address, Is.EqualTo(address));
        Assert.That(backend.Host?.ToString(), Is.EqualTo(address.ToLowerInvariant()));
        Assert.That(backend.Endpoint, Is.Null);
    }

    [TestCase("host.name:0", "has a port out of range; allowed: 1 to 65535")]
    [TestCase("*.example.com:80", "is not an IP address or a host name with a port")]
    [TestCase("my host:80", "has white space in it; allowed: an IP address or a host name with a port")]
    [TestCase("host.name", "has no port; allowed: an IP address or a host name with a port")]
    [TestCase("10.0.0.256:80", "is not an IP address or a host name with a port")]
    public void What_is_no_host_name_is_no_backend(string address, string error) =>
        Assert.That(new ConfigText().With("[[pools.backends]]", "address", $"\"{address}\"").Errors().Single(), Does.Contain($"\"{address}\" {error}"));

    [TestCase("0.0.0.0:80")]
    [TestCase("[::]:80")]
    public void A_wildcard_is_no_backend(string address) =>
        Assert.That(
            new ConfigText().With("[[pools.backends]]", "address", $"\"{address}\"").Errors().Single(),
            Does.Contain($"\"{address}\" is the wildcard address and cannot be connected to"));

    [TestCase("[1]", "must be a host name, like \"lb1.example.com\", not an integer")]
    [TestCase("[\"10.0.0.1\"]", "\"10.0.0.1\" is an address, which is always accepted; leave it out")]
    [TestCase("[\"lb1:9180\"]", "\"lb1:9180\"" + NoHostName)]
    [TestCase("[\"*.example.com\"]", "\"*.example.com\"" + NoHostName)]
    [TestCase("[\"\"]", "\"\"" + NoHostName)]
    [TestCase("[\"a..b\"]", "\"a..b\"" + NoHostName)]
    [TestCase("[\"-a\"]", "\"-a\"" + NoHostName)]
    [TestCase("[\"lb1.\"]", "\"lb1.\"" + NoHostName)]
    [TestCase("[\"http://lb1\"]", "\"http://lb1\"" + NoHostName)]
    public void A_wrong_host_name_of_the_admin_API_is_told(string value, string expected) =>
        Assert.That(new ConfigText().With("[admin]", "hosts", value).Errors().Single(), Does.EndWith(" admin.hosts[0]: " + expected));

    [TestCase(
        "[\"source-ip\", \"source-port\", \"source-ip\"]",
        "hash_key[2]: \"source-ip\" is already used at 8:13; allowed: once among the fields of hash_key")]
    [TestCase("[\"source_ip\"]", "hash_key[0]: \"source_ip\" is not known; allowed: ")]
    [TestCase("[\"http-headers\"]", "hash_key[0]: \"http-headers\" is not known; allowed: ")]
    [TestCase("[1]", "hash_key[0]: must be one of ")]
    [TestCase("[\"source-net\", \"source-ip\"]", "hash_key: has both \"source-ip\" and \"source-net\"; an address contains its network")]
    public void A_wrong_field_of_the_hash_key_is_told(string value, string expected) =>
        Assert.That(new ConfigText().With("[[pools]]", "hash_key", value).Errors().Single(), Does.Contain("pools[0]." + expected));

    [TestCase("{ v4 = 33 }", "source_net.v4: 33 is out of range; allowed: 1 to 32")]
    [TestCase("{ v6 = 0 }", "source_net.v6: 0 is out of range; allowed: 1 to 128")]
    [TestCase("{ v5 = 1 }", "source_net.v5: unknown key in source_net; the nearest known key is \"v4\"")]
    public void A_wrong_network_of_clients_is_told(string value, string expected) =>
        Assert.That(new ConfigText().With("[[pools]]", "source_net", value).Errors().Single(), Does.Contain("pools[0]." + expected));

    [Test]
    public void A_network_of_clients_can_be_hashed()
    {
        PoolSettings pool = new ConfigText()
            .With("[[pools]]", "hash_key", "[\"destination-port\", \"source-net\"]").With("[[pools]]", "source_net", "{ v4 = 20 }").Load().Pools[0];

        Assert.That((pool.HashKey, pool.SourceNet), Is.EqualTo((TupleFields.SourceNet | TupleFields.DestinationPort, new SourceNet(20, 64))));
    }

    [TestCase("access_log_start", "true")]
    [TestCase("access_log_every", "\"5m\"")]
    public void A_line_of_an_access_log_that_is_off_is_refused(string key, string value)
    {
        ConfigText text = new ConfigText().With("[balancer]", key, value);
        Assert.That(text.Errors(), Is.Empty);
        Assert.That(
            text.With("[balancer]", "access_log", "\"off\"").Errors().Single(), Does.Contain($" balancer.{key}: has no effect, because access_log = \"off\""));
    }

    [TestCase("[\"10.0.0.5\", \"10.0.0.5\"]", "source_ips[1]: \"10.0.0.5\" is already used at 8:15; allowed: once among source_ips")]
    [TestCase("[\"10.0.0.5\", \"::ffff:10.0.0.5\"]", "source_ips[1]: \"::ffff:10.0.0.5\" is already used at 8:15")]
    [TestCase("[\"0.0.0.0\"]", "source_ips[0]: \"0.0.0.0\" is not a single address")]
    [TestCase(
        "[\"10.0.0.5:80\"]", "source_ips[0]: \"10.0.0.5:80\" is not an IP address without a port, like \"10.0.0.1\" or \"2001:db8::1\"")]
    [TestCase("[\"10.0.0.0/24\"]", "source_ips[0]: \"10.0.0.0/24\" is not an IP address without a port")]
    [TestCase("\"10.0.0.5\"", "source_ips: must be an array of IP addresses of this machine, like [\"10.0.0.1\"], not a string")]
    public void A_wrong_source_address_is_told(string value, string expected) =>
        Assert.That(new ConfigText().With("[[pools]]", "source_ips", value).Errors().Single(), Does.Contain("pools[0]." + expected));

    private static string Rest(string text, ConfigError error)
    {
        string line = text.Split('\n')[error.Position.Line - 1];
        return line[(error.Position.Column - 1)..];
    }
}
