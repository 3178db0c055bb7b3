using System.Text;
using L4Balancer.Core.Discovery;
using L4Balancer.Discovery;

namespace L4Balancer.Tests.Discovery;

/// <summary>What is registered in etcd or ZooKeeper, and what a pool gets from it.</summary>
[TestFixture]
internal sealed class RegistrationTests
{
    [Test]
    public void Every_member_is_read()
    {
        DiscoveredBackend read = Read(
            "ws1", """{"address":"[2001:DB8::1]:8443","weight":0,"backup":true,"max_connections":50,"public_url":"wss://ws1.example.com/a?b=c"}""");
        Assert.That(read.Address.ToString(), Is.EqualTo("[2001:db8::1]:8443"));
        Assert.That(
            (read.Name, read.Weight, read.Backup, read.MaxConnections, read.PublicUrl),
            Is.EqualTo(("ws1", 0, true, 50, "wss://ws1.example.com/a?b=c")));
    }

    [Test]
    public void Only_the_address_is_required_and_unknown_members_are_ignored()
    {
        DiscoveredBackend read = Read("ws1", """ {"since":[1,{"a":2}],"address":"10.0.0.1:443","zone":"b"} """);
        Assert.That((read.Weight, read.Backup, read.MaxConnections, read.PublicUrl), Is.EqualTo((100, false, 0, "")));
    }

    [TestCase("ws1", "ws1")]
    [TestCase("member_0000000012", "", Description = "numbered by ZooKeeper")]
    [TestCase("10.0.0.1:443", "")]
    [TestCase("a b", "")]
    [TestCase("", "")]
    public void Node_gives_the_name_where_it_is_one_that_stays(string node, string name) =>
        Assert.That(Read(node, """{"address":"10.0.0.1:443"}""").Name, Is.EqualTo(name));

    [TestCase("", "the value is empty")]
    [TestCase("null", "not a JSON object")]
    [TestCase("[]", "not a JSON object")]
    [TestCase("10.0.0.1:443", "not a JSON object")]
    [TestCase("{\"address\":\"10.0.0.1:443\"", "not a JSON object", Description = "half written")]
    [TestCase("{\"address\":\"10.0.0.1:443\"} x", "not a JSON object")]
    [TestCase("{}", "not a JSON object with an \"address\"")]
    [TestCase("{\"address\":null}", "$.address")]
    [TestCase("{\"address\":17}", "$.address")]
    [TestCase("{\"address\":\"10.0.0.1:443\",\"address\":\"10.0.0.2:443\"}", "$.address")]
    [TestCase("{\"address\":\"host.name:443\"}", "\"host.name:443\" is not an IP address with a port")]
    [TestCase("{\"address\":\"unix:/run/a.sock\"}", "is not an IP address with a port")]
    [TestCase("{\"address\":\"10.0.0.1\"}", "is not an IP address with a port")]
    [TestCase("{\"address\":\"10.0.0.1:0\"}", "cannot be connected to")]
    [TestCase("{\"address\":\"0.0.0.0:443\"}", "cannot be connected to")]
    [TestCase("{\"address\":\"[fe80::1]:443\"}", "cannot be connected to")]
    [TestCase("{\"address\":\"10.0.0.1:443\",\"weight\":1001}", "the weight 1001 is not one of 0 to 1000")]
    [TestCase("{\"address\":\"10.0.0.1:443\",\"weight\":-1}", "the weight -1")]
    [TestCase("{\"address\":\"10.0.0.1:443\",\"weight\":1e2}", "$.weight")]
    [TestCase("{\"address\":\"10.0.0.1:443\",\"weight\":null}", "$.weight")]
    [TestCase("{\"address\":\"10.0.0.1:443\",\"max_connections\":-1}", "max_connections is -1")]
    [TestCase("{\"address\":\"10.0.0.1:443\",\"public_url\":\"javascript:alert(1)\"}", "is not a URL of http, https, ws or wss")]
    [TestCase("{\"address\":\"10.0.0.1:443\",\"public_url\":\"/path\"}", "is not a URL of http, https, ws or wss")]
    [TestCase("{\"address\":\"\\u001b[31m\"}", "\\U0000001B[31m")]
    public void One_that_is_not_a_backend_makes_all_of_them_unknown(string value, string why)
    {
        SourceReading read = Registration.Read([Of("a", """{"address":"10.0.0.9:1"}"""), Of("b\n", value)], "7");
        Assert.That(read, Is.InstanceOf<SourceReading.Unknown>());
        Assert.That(((SourceReading.Unknown)read).Why, Does.StartWith("\"b\\n\": ").And.Contain(why).And.Length.LessThan(200));
    }

    [Test]
    public void Later_change_of_an_address_is_used_in_whatever_order_the_store_answers()
    {
        Registration[] all =
        [
            Of("new", """{"address":"10.0.0.1:443","weight":7}""", 9),
            Of("old", """{"address":"10.0.0.1:443","weight":3}""", 8),
            Of("b", """{"address":"10.0.0.3:443"}""", 2),
            Of("a", """{"address":"10.0.0.3:443"}""", 2),
        ];
        SourceReading.Complete read = Complete(Registration.Read(all, "7"));
        Assert.That(read.Backends.Select(b => (b.Name, b.Weight)), Is.EqualTo([("b", 100), ("new", 7)]));
        Assert.That(Complete(Registration.Read([.. all.Reverse()], "7")).Backends, Is.EqualTo(read.Backends));
    }

    [Test]
    public void None_is_an_empty_set_with_the_version() =>
        Assert.That(Complete(Registration.Read([], "7")), Has.Property("Version").EqualTo("7").And.Property("Backends").Empty);

    [Test]
    public void Too_many_are_a_mistake() =>
        Assert.That(
            Registration.Read([.. Enumerable.Range(0, Registration.Most + 1).Select(i => Of($"n{i}", "x"))], ""),
            Is.EqualTo(new SourceReading.Unknown("10001 backends are registered; at most 10000 are read")));

    private static DiscoveredBackend Read(string node, string value) => Complete(Registration.Read([Of(node, value)], "")).Backends.Single();

    private static SourceReading.Complete Complete(SourceReading read)
    {
        Assert.That(read, Is.InstanceOf<SourceReading.Complete>(), read.ToString());
        return (SourceReading.Complete)read;
    }

    private static Registration Of(string node, string value, long changed = 1) => new(node, Encoding.UTF8.GetBytes(value), changed);
}
