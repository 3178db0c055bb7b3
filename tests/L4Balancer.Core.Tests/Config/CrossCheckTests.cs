using L4Balancer.Core.Config;

namespace L4Balancer.Core.Tests.Config;

/// <summary>What single values cannot say: names, references and addresses against each other.</summary>
internal sealed class CrossCheckTests
{
    private const string Pool = """

        [[pools]]
        name = "chat"
        [[pools.backends]]
        name = "ws1"
        address = "10.0.0.1:80"

        """;

    [Test]
    public void Two_listeners_of_one_name_are_refused() =>
        Assert.That(
            ConfigText.Errors(Listener("wss", "\"0.0.0.0:1\"") + Listener("wss", "\"0.0.0.0:2\"") + Pool),
            Is.EqualTo(["6:8 listeners[1].name: \"wss\" is already used at 2:8; allowed: once among the listeners"]));

    [Test]
    public void The_admin_socket_is_no_listener() =>
        Assert.That(
            ConfigText.Errors(Listener("wss", "\"unix:/run/lb.sock\"") + Pool + """

                [admin]
                socket = "/run/lb.sock"
                """).Single(),
            Does.EndWith("admin.socket: \"unix:/run/lb.sock\" is already bound at 3:9; allowed: each path once"));

    [Test]
    public void Two_pools_of_one_name_are_refused() =>
        Assert.That(
            ConfigText.Errors(Listener("wss", "\"0.0.0.0:1\"") + Pool + Pool),
            Is.EqualTo(["13:8 pools[1].name: \"chat\" is already used at 7:8; allowed: once among the pools"]));

    [Test]
    public void Backends_of_one_name_are_refused_within_a_pool_and_those_of_one_address_are_not()
    {
        string[] errors = ConfigText.Errors(Listener("wss", "\"0.0.0.0:1\"") + """
            [[pools]]
            name = "chat"
            backends = [
              { name = "ws1", address = "[2001:db8::1]:80" },
              { name = "ws1", address = "10.0.0.1:80" },
              { name = "ws2", address = "[2001:DB8:0::1]:80" },
              { name = "ws3", address = "[2001:db8::1]:80" },
              { name = "WS1", address = "10.0.0.1:81" },
            ]
            [[pools]]
            name = "other"
            backends = [{ name = "ws1", address = "10.0.0.1:80" }]
            """);

        Assert.That(errors, Is.EqualTo([
            "9:12 pools[0].backends[1].name: \"ws1\" is already used at 8:12; allowed: once among the backends of a pool",
        ]));
    }

    [TestCase("\"10.0.0.1:443\", \"10.0.0.1:443\"", "3:25 listeners[0].bind[1]: \"10.0.0.1:443\" is already bound at 3:9")]
    [TestCase(
        "\"0.0.0.0:443\", \"10.0.0.1:443\"", "3:24 listeners[0].bind[1]: \"10.0.0.1:443\" conflicts with the address at 3:9")]
    [TestCase(
        "\"10.0.0.1:443\", \"0.0.0.0:443\"", "3:25 listeners[0].bind[1]: \"0.0.0.0:443\" conflicts with the address at 3:9")]
    [TestCase("\"10.0.0.1:440-449\", \"10.0.0.1:443\"", "3:29 listeners[0].bind[1]: \"10.0.0.1:443\" is already bound at 3:9")]
    [TestCase("\"10.0.0.1:443\", \"10.0.0.1:440-443\"", "3:25 listeners[0].bind[1]: \"10.0.0.1:443\" is already bound at 3:9")]
    [TestCase("\"unix:/run/a\", \"unix:/run/a\"", "3:24 listeners[0].bind[1]: \"unix:/run/a\" is already bound at 3:9")]
    [TestCase("\"[::1]:443\", \"[::]:443\"", "3:22 listeners[0].bind[1]: \"[::]:443\" conflicts with the address at 3:9")]
    public void Addresses_that_the_kernel_would_refuse_together_are_refused(string bind, string expected) =>
        Assert.That(ConfigText.Errors(Listener("wss", bind) + Pool).Single(), Does.StartWith(expected));

    [Test]
    public void An_address_is_taken_once_over_all_listeners_and_metrics()
    {
        string[] errors = ConfigText.Errors(
            Listener("a", "\"10.0.0.1:443\", \"127.0.0.1:9464\"") + Listener("b", "\"10.0.0.1:443\"") + "[metrics]\n" + Pool);

        Assert.That(errors, Is.EqualTo([
            "7:9 listeners[1].bind[0]: \"10.0.0.1:443\" is already bound at 3:9; allowed: each address and port once",
            "9:1 metrics: \"127.0.0.1:9464\" is already bound at 3:25; allowed: each address and port once",
        ]));
    }

    [Test]
    public void A_listener_may_stand_before_or_after_its_pool() =>
        Assert.That(ConfigText.Errors(Listener("a", "\"0.0.0.0:1\"") + Pool + Listener("b", "\"0.0.0.0:2\"")), Is.Empty);

    [Test]
    public void A_pool_without_backends_is_refused_and_the_mend_is_told() =>
        Assert.That(
            ConfigText.Errors(Listener("wss", "\"0.0.0.0:1\"") + "[[pools]]\nname = \"chat\"\n"),
            Is.EqualTo(["5:1 pools[0].backends: missing; needed: at least one [[pools.backends]] with name and address"]));

    [TestCase("[[pools]]", "backends", "[]", "pools[0].backends: is empty; needed: at least one [[pools.backends]]")]
    [TestCase("[[pools]]", "backends", "[1]", "pools[0].backends[0]: must be a table of [[pools.backends]], not an integer")]
    [TestCase("[[pools]]", "backends", "\"ws1\"", "pools[0].backends: must be an array of tables, [[pools.backends]], not a string")]
    [TestCase("[[pools]]", "health", "[{}]", "pools[0].health: must be one table [pools.health], not an array")]
    public void A_table_in_another_form_is_refused(string header, string key, string value, string expected) =>
        Assert.That(new ConfigText().With(header, key, value).Errors().Single(), Does.Contain(expected));

    [Test]
    public void A_single_table_where_an_array_of_them_is_wanted_is_refused_and_read_on()
    {
        string text = new ConfigText().With("[[pools.backends]]", "weight", "1001").ToString()
            .Replace("[[pools.backends]]", "[pools.backends]");

        Assert.That(ConfigText.Read(text).Errors.Select(e => $"{e.Key}: {e.Message}"), Is.EqualTo([
            "pools[0].backends: must be an array of tables; write [[pools.backends]]",
            "pools[0].backends[0].weight: 1001 is out of range; allowed: 0 to 1000",
        ]));
    }

    [Test]
    public void No_listener_at_all_is_refused_however_it_is_written() =>
        Assert.That(
            ConfigText.Errors("listeners = []\n" + Pool),
            Is.EqualTo(["1:13 listeners: is empty; needed: at least one [[listeners]]"]));

    [TestCase("10.0.0.5", "[2001:db8::1]:80", "no IPv6 address, but backend \"[2001:db8::1]:80\" is IPv6")]
    [TestCase("2001:db8::5", "10.0.0.1:80", "no IPv4 address, but backend \"10.0.0.1:80\" is IPv4")]
    public void Every_family_of_backends_needs_a_source_of_its_family(string source, string backend, string expected)
    {
        ConfigText text = new ConfigText()
            .With("[[pools]]", "source_ips", $"[\"{source}\"]")
            .With("[[pools.backends]]", "address", $"\"{backend}\"");

        Assert.That(text.Errors(), Is.EqualTo([$"8:14 pools[0].source_ips: {expected}; add one, or use [] for the kernel's choice"]));
    }

    [Test]
    public void A_source_that_could_not_be_read_is_not_missed_as_well() =>
        Assert.That(new ConfigText().With("[[pools]]", "source_ips", "[\"2001:db8::5\", \"10.0.0\"]").Errors(), Has.Length.EqualTo(1));

    [Test]
    public void All_weights_may_be_zero() =>
        Assert.That(new ConfigText().With("[[pools.backends]]", "weight", "0").Errors(), Is.Empty);

    [Test]
    public void A_reference_to_a_pool_whose_own_name_is_wrong_is_not_blamed()
    {
        string[] errors = ConfigText.Errors(Listener("wss", "\"0.0.0.0:1\"") + Pool.Replace("\"chat\"", "\"my chat\""));

        Assert.That(errors.Single(), Does.StartWith("7:8 pools[0].name: \"my chat\" is not a name"));
    }

    private static string Listener(string name, string bind) => $"[[listeners]]\nname = \"{name}\"\nbind = [{bind}]\npool = \"chat\"\n";
}
