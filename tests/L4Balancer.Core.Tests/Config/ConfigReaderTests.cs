using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Tests.Config;

/// <summary>A whole file at a time: what comes out, and in what order its mistakes are reported.</summary>
internal sealed class ConfigReaderTests
{
    [Test]
    public void The_smallest_file_gets_every_default_of_the_contract()
    {
        BalancerConfig config = new ConfigText().Load();

        ListenerSettings listener = config.Listeners.Single();
        PoolSettings pool = config.Pools.Single();
        KeepaliveSettings keepalive = new() { Idle = TimeSpan.FromSeconds(60), Interval = TimeSpan.FromSeconds(20), Count = 3 };
        using (Assert.EnterMultipleScope())
        {
            Assert.That(config.Balancer, Is.EqualTo(new BalancerSettings
            {
                Workers = 0,
                Engine = EngineKind.Auto,
                MaxConnections = 0,
                ShutdownGrace = TimeSpan.FromSeconds(30),
                AccessLog = AccessLogMode.Failures,
                LogFormat = null,
                LogLevel = LogLevel.Info,
            }));
            Assert.That(config.Metrics, Is.Null);
            Assert.That(listener.Backlog, Is.EqualTo(4096));
            Assert.That(listener.Keepalive, Is.EqualTo(keepalive));
            Assert.That(listener.UserTimeout, Is.EqualTo(TimeSpan.Zero));
            Assert.That(pool.HashKey, Is.EqualTo(TupleFields.All));
            Assert.That(pool.SourceIps, Is.Empty);
            Assert.That(pool.ConnectTimeout, Is.EqualTo(TimeSpan.FromSeconds(3)));
            Assert.That(pool.ConnectAttempts, Is.EqualTo(3));
            Assert.That(pool.IdleTimeout, Is.EqualTo(TimeSpan.FromHours(1)));
            Assert.That(pool.HalfCloseTimeout, Is.EqualTo(TimeSpan.FromMinutes(5)));
            Assert.That(pool.Keepalive, Is.EqualTo(keepalive));
            Assert.That(pool.Health, Is.EqualTo(new HealthSettings
            {
                Type = HealthType.Tcp,
                Interval = TimeSpan.FromSeconds(2),
                Jitter = 0.1,
                Timeout = TimeSpan.FromSeconds(1),
                Rise = 2,
                Fall = 3,
                Port = 0,
            }));
            Assert.That(pool.Backends.Single().Weight, Is.EqualTo(100));
            Assert.That(pool.Backends.Single().Backup, Is.False);
        }
    }

    [Test]
    public void A_full_file_comes_out_as_written()
    {
        BalancerConfig config = ConfigText.Load("""
            [balancer]
            workers = 4
            engine = "managed"
            max_connections = 100000
            shutdown_grace = "1.5s"
            access_log = "all"
            log_format = "json"
            log_level = "debug"

            [metrics]
            listen = "[::1]:9000"

            [[listeners]]
            name = "wss"
            bind = ["10.0.0.1:443", "[2001:db8::1]:443"]
            pool = "b"
            backlog = 7
            max_connections = 8
            keepalive = { idle = "0s", count = 9 }
            user_timeout = "45s"

            [[pools]]
            name = "a"
              [[pools.backends]]
              name = "only"
              address = "10.0.2.1:80"

            [[pools]]
            name = "b"
            balance = "ring"
            hash_key = ["destination-port", "source-ip"]
            source_ips = ["10.0.0.5", "2001:db8::5"]
            connect_timeout = "250ms"
            connect_attempts = 16
            idle_timeout = "5m"
            half_close_timeout = "2m"
            keepalive = { interval = "5s" }
            user_timeout = "1m"
              [pools.health]
              type = "none"
              interval = "10ms"
              jitter = 0
              timeout = "3s"
              rise = 1
              fall = 100
              port = 8080
              [[pools.backends]]
              name = "ws.1"
              address = "[2001:DB8::7]:8443"
              weight = 0
              backup = true
              [[pools.backends]]
              name = "ws.2"
              address = "10.0.1.22:8443"
              weight = 1000
            """);

        ListenerSettings listener = config.Listeners.Single();
        PoolSettings pool = config.Pools[1];
        BackendSettings first = pool.Backends[0];
        using (Assert.EnterMultipleScope())
        {
            Assert.That(config.Balancer, Is.EqualTo(new BalancerSettings
            {
                Workers = 4,
                Engine = EngineKind.Managed,
                MaxConnections = 100_000,
                ShutdownGrace = TimeSpan.FromMilliseconds(1500),
                AccessLog = AccessLogMode.All,
                LogFormat = LogFormat.Json,
                LogLevel = LogLevel.Debug,
            }));
            Assert.That(config.Metrics!.Listen.ToString(), Is.EqualTo("[::1]:9000"));
            Assert.That(listener.Name, Is.EqualTo("wss"));
            Assert.That(listener.Pool, Is.EqualTo("b"));
            Assert.That(listener.Bind.Select(b => b.ToString()), Is.EqualTo(["10.0.0.1:443", "[2001:db8::1]:443"]));
            Assert.That((listener.Backlog, listener.MaxConnections), Is.EqualTo((7, 8)));
            Assert.That(listener.Keepalive, Is.EqualTo(new KeepaliveSettings { Idle = TimeSpan.Zero, Count = 9 }));
            Assert.That(listener.UserTimeout, Is.EqualTo(TimeSpan.FromSeconds(45)));
            Assert.That(config.Pools.Select(p => p.Name), Is.EqualTo(["a", "b"]));
            Assert.That(pool.HashKey, Is.EqualTo(TupleFields.SourceIp | TupleFields.DestinationPort));
            Assert.That(pool.SourceIps.Select(s => s.ToString()), Is.EqualTo(["10.0.0.5", "2001:db8::5"]));
            Assert.That(pool.ConnectTimeout, Is.EqualTo(TimeSpan.FromMilliseconds(250)));
            Assert.That(pool.ConnectAttempts, Is.EqualTo(16));
            Assert.That(pool.IdleTimeout, Is.EqualTo(TimeSpan.FromMinutes(5)));
            Assert.That(pool.HalfCloseTimeout, Is.EqualTo(TimeSpan.FromMinutes(2)));
            Assert.That(pool.Keepalive, Is.EqualTo(new KeepaliveSettings { Interval = TimeSpan.FromSeconds(5) }));
            Assert.That(pool.UserTimeout, Is.EqualTo(TimeSpan.FromMinutes(1)));
            Assert.That(pool.Health, Is.EqualTo(new HealthSettings
            {
                Type = HealthType.None,
                Interval = TimeSpan.FromMilliseconds(10),
                Jitter = 0,
                Timeout = TimeSpan.FromSeconds(3),
                Rise = 1,
                Fall = 100,
                Port = 8080,
            }));
            Assert.That(pool.Backends.Select(b => (b.Name, b.Weight, b.Backup)), Is.EqualTo([("ws.1", 0, true), ("ws.2", 1000, false)]));
            Assert.That(first.Address, Is.EqualTo("[2001:DB8::7]:8443"), "as written: it places the backend on the ring");
            Assert.That(first.Endpoint.ToString(), Is.EqualTo("[2001:db8::7]:8443"));
        }
    }

    [Test]
    public void Metrics_without_a_key_take_the_default_address() =>
        Assert.That(new ConfigText().With("[metrics]").Load().Metrics!.Listen.ToString(), Is.EqualTo("127.0.0.1:9464"));

    [TestCase("", "7m", 5)]
    [TestCase("", "2m", 2)]
    [TestCase("", "0s", 5)]
    [TestCase("half_close_timeout = \"6m\"", "7m", 6)]
    [TestCase("half_close_timeout = \"8m\"", "7m", 7)]
    [TestCase("half_close_timeout = \"\"", "7m", 7)]
    [TestCase("half_close_timeout = \"0s\"", "7m", 7)]
    [TestCase("half_close_timeout = \"0s\"", "0s", 0)]
    public void Half_close_timeout_is_never_longer_than_the_idle_timeout(string line, string idle, int minutes)
    {
        string text = new ConfigText().With("[[pools]]", "idle_timeout", $"\"{idle}\"").ToString()
            .Replace("idle_timeout", line + "\nidle_timeout");

        Assert.That(ConfigText.Load(text).Pools[0].HalfCloseTimeout, Is.EqualTo(TimeSpan.FromMinutes(minutes)));
    }

    [TestCase("0", 0L)]
    [TestCase("1MiB", 1L << 20)]
    [TestCase("1536KiB", 1536L << 10)]
    [TestCase("3GiB", 3L << 30)]
    [TestCase("2000000B", 2_000_000L)]
    public void A_size_has_a_unit(string text, long bytes)
    {
        ByteSize size = new ConfigText().With("[balancer]", "held_memory", $"\"{text}\"").Load().Balancer.HeldMemory;
        Assert.That((size.Bytes, size.ToString()), Is.EqualTo((bytes, text)));
    }

    [TestCase("\"1\"", "is not a size; allowed: a whole number with a unit of B, KiB, MiB or GiB")]
    [TestCase("\"1.5GiB\"", "is not a size")]
    [TestCase("\"9223372036854775807GiB\"", "is not a size")]
    [TestCase("\"1023KiB\"", "is out of range; allowed: \"0\", or \"1MiB\" to \"1048576GiB\"")]
    [TestCase("64", "a size: a string like")]
    public void A_size_that_is_none_is_refused(string value, string message) =>
        Assert.That(
            new ConfigText().With("[balancer]", "held_memory", value).Errors().Single(), Does.Contain(message));

    [Test]
    public void Six_mistakes_of_six_kinds_are_told_in_one_go_with_line_and_column()
    {
        string[] errors = ConfigText.Errors("""
            [balancer]
            worker = 2
            shutdown_grace = 30

            [[listeners]]
            name = "wss"
            bind = ["0.0.0.0:443", "0.0.0.0:https"]
            pool = "chats"

            [[pools]]
            name = "chat"
            discovery = "v2"
              [[pools.backends]]
              name = "ws1"
              address = "10.0.1.21:8443"
              weight = 2000
            """);

        Assert.That(errors, Is.EqualTo([
            "2:1 balancer.worker: unknown key in [balancer]; the nearest known key is \"workers\"",
            "3:18 balancer.shutdown_grace: 30 has no unit; a duration is a string with its unit, like \"30s\"",
            "7:24 listeners[0].bind[1]: \"0.0.0.0:https\" has a port out of range, \"https\"; a port is a number from 1 to 65535; allowed: an IP address with a port, like \"10.0.0.1:443\" or \"[2001:db8::1]:443\", a range of ports, like \"0.0.0.0:27000-27099\", or a UNIX socket, like \"unix:/run/chat.sock\"",
            "8:8 listeners[0].pool: there is no pool \"chats\"; the nearest pool is \"chat\"",
            "12:13 pools[0].discovery: must be one table [pools.discovery], not a string",
            "16:12 pools[0].backends[0].weight: 2000 is out of range; allowed: 0 to 1000",
        ]));
    }

    [Test]
    public void Missing_keys_are_told_at_the_header_of_their_table()
    {
        string[] errors = ConfigText.Errors("""
            [[listeners]]

            [[pools]]
            name = "chat"
              [[pools.backends]]
              name = "ws1"
              [[pools.backends]]
              address = "10.0.0.1:80"
            """);

        Assert.That(errors, Is.EqualTo([
            "1:1 listeners[0].name: missing; needed: a name",
            "1:1 listeners[0].bind: missing; needed: an array of addresses with a port, like [\"0.0.0.0:443\", \"[::]:443\"]",
            "1:1 listeners[0].pool: missing; needed: the name of a pool",
            "5:3 pools[0].backends[0].address: missing; needed: an IP address or a host name with a port, like \"10.0.0.1:443\", \"[2001:db8::1]:443\" or \"host.name:443\", or a UNIX socket, like \"unix:/run/ws1.sock\"",
            "7:3 pools[0].backends[1].name: missing; needed: a name",
        ]));
    }

    [Test]
    public void An_empty_file_needs_a_listener_and_a_pool() =>
        Assert.That(ConfigText.Errors(""), Is.EqualTo([
            "1:1 listeners: missing; needed: at least one [[listeners]] with name, bind and pool",
            "1:1 pools: missing; needed: at least one [[pools]] with name and [[pools.backends]]",
        ]));

    [Test]
    public void Beside_bad_syntax_the_other_mistakes_are_told_but_nothing_is_called_missing()
    {
        // What was lost with the broken lines: the pool that the listener names, and the address of the backend.
        TomlTable backend = Table(8, ("name", new TomlString(new(9, 8), "ws 1")));
        TomlTable pool = Table(6, ("name", new TomlString(new(7, 8), "other")), ("backends", new TomlArray(new(8, 1), [backend])));
        TomlTable listener = Table(2, ("name", new TomlString(new(3, 8), "wss")), ("pool", new TomlString(new(4, 8), "chat")));
        TomlTable root = Table(1, ("listeners", new TomlArray(new(2, 1), [listener])), ("pools", new TomlArray(new(6, 1), [pool])));

        ConfigResult result = ConfigReader.Read(new TomlDocument(root, [new TomlError(new(5, 7), "a value is missing")]));

        Assert.That(result.Config, Is.Null);
        Assert.That(result.Errors.Select(e => e.Format("b.toml")), Is.EqualTo([
            "b.toml:5:7: error: syntax: a value is missing",
            "b.toml:9:8: error: pools[0].backends[0].name: \"ws 1\" is not a name; allowed: 1 to 64 characters of A-Z a-z 0-9 . _ -",
        ]));
    }

    [Test]
    public void Bad_syntax_is_told_together_with_a_bad_value()
    {
        ConfigResult result = ConfigText.Read("""
            [balancer]
            workers = 5000
            log_level = = "info"
            """);

        Assert.That(result.Config, Is.Null);
        Assert.That(result.Errors.Select(e => (e.Position.Line, e.Key)), Is.EqualTo([(2, "balancer.workers"), (3, "")]));
    }

    [Test]
    public void An_error_prints_as_the_contract_says()
    {
        ConfigError error = new(new TomlPosition(14, 11), "pools[0].backends[2].weight", "2000 is out of range; allowed: 0 to 1000");

        Assert.That(
            error.Format("balancer.toml"),
            Is.EqualTo("balancer.toml:14:11: error: pools[0].backends[2].weight: 2000 is out of range; allowed: 0 to 1000"));
    }

    [Test]
    public void Text_of_the_file_cannot_break_out_of_its_line()
    {
        string[] errors = new ConfigText()
            .With("[balancer]", "\"a\\nb\\u001B[31m\\\"\"", "1")
            .With("[balancer]", "engine", $"\"{new string('x', 9000)}\"")
            .Errors();

        Assert.That(errors[0], Does.StartWith("2:1 balancer.\"a\\nb\\U0000001B[31m\\\"\": unknown key"));
        Assert.That(errors[1], Does.StartWith("3:10 balancer.engine: \"xxx").And.Length.LessThan(200));
        Assert.That(errors, Has.Length.EqualTo(2).And.All.Not.Contains('\n').And.All.Not.Contains('\u001B'));
    }

    private static TomlTable Table(int line, params (string Key, TomlNode Value)[] entries) =>
        new(new TomlPosition(line, 1), [.. entries.Select(e => new TomlEntry(e.Key, new TomlPosition(line, 1), e.Value))]);
}
