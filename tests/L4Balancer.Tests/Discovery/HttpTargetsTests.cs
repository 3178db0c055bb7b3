using System.Text;
using L4Balancer.Core.Discovery;
using L4Balancer.Discovery.Http;
using L4Balancer.Tests.Discovery.Stores;

namespace L4Balancer.Tests.Discovery;

/// <summary>Lists of Prometheus' HTTP service discovery, and what a pool gets from them.</summary>
[TestFixture]
internal sealed class HttpTargetsTests
{
    [TestCase("""[]""", "")]
    [TestCase("""[{"targets":[]}]""", "")]
    [TestCase("""[{"targets":["10.0.0.1:1","[2001:db8::1]:2"]},{"targets":["10.0.0.3:3"],"labels":{}}]""",
        "=10.0.0.1:1*100 =10.0.0.3:3*100 =[2001:db8::1]:2*100")]
    [TestCase("""[{"targets":["10.0.0.1:1"],"labels":{"name":"ws1","weight":"7","backup":"true","max_connections":"9","public_url":"wss://a.example/"}}]""",
        "ws1=10.0.0.1:1*7 backup max 9 wss://a.example/")]
    [TestCase("""[{"targets":["10.0.0.1:1","10.0.0.2:1"],"labels":{"name":"chat","weight":"0","__meta_x":"y"}}]""", "=10.0.0.1:1*0 =10.0.0.2:1*0")]
    [TestCase("""[{"targets":["10.0.0.1:1"],"labels":{"name":"not a name"},"more":1}]""", "=10.0.0.1:1*100")]
    public void Targets_are_backends_with_what_their_labels_say(string json, string backends) => Assert.That(Read(json), Is.EqualTo(backends));

    [TestCase("", "not a JSON array")]
    [TestCase("null", "not a JSON array")]
    [TestCase("{}", "not a JSON array")]
    [TestCase("[null]", "a group has no targets")]
    [TestCase("""[{"labels":{}}]""", "a group has no targets")]
    [TestCase("""[{"targets":["10.0.0.1:1"]}""", "cannot be read at \"$[1]\"", Description = "cut off")]
    [TestCase("""[{"targets":"10.0.0.1:1"}]""", "$[0].targets")]
    [TestCase("""[{"targets":[null]}]""", "\"null\" is not an IP address with a port")]
    [TestCase("""[{"targets":["10.0.0.1:1","ws2.example.com:1"]}]""", "\"ws2.example.com:1\" is not an IP address with a port")]
    [TestCase("""[{"targets":["10.0.0.1"]}]""", "is not an IP address with a port")]
    [TestCase("""[{"targets":["10.0.0.1:0"]}]""", "is not an IP address with a port")]
    [TestCase("""[{"targets":["unix:/run/a.sock"]}]""", "is not an IP address with a port")]
    [TestCase("""[{"targets":["10.0.0.1:1"],"labels":{"weight":"1001"}}]""", "10.0.0.1:1: weight cannot be \"1001\"")]
    [TestCase("""[{"targets":["10.0.0.1:1"],"labels":{"weight":"-1"}}]""", "weight cannot be")]
    [TestCase("""[{"targets":["10.0.0.1:1"],"labels":{"weight":null}}]""", "weight cannot be null")]
    [TestCase("""[{"targets":["10.0.0.1:1"],"labels":{"weight":5}}]""", "$[0].labels")]
    [TestCase("""[{"targets":["10.0.0.1:1"],"labels":{"backup":"yes"}}]""", "backup cannot be \"yes\"")]
    [TestCase("""[{"targets":["10.0.0.1:1"],"labels":{"max_connections":"x"}}]""", "max_connections cannot be")]
    [TestCase("""[{"targets":["10.0.0.1:1"],"labels":{"public_url":"javascript:1"}}]""", "public_url cannot be")]
    [TestCase("""[{"targets":["10.0.0.1:1","10.0.0.2:1"],"labels":{"public_url":"wss://a.example/"}}]""", "that of a whole group")]
    public void One_that_cannot_be_used_makes_all_unknown(string json, string why) => Assert.That(Read(json), Does.StartWith("? ").And.Contain(why));

    [Test]
    public void More_than_ten_thousand_targets_are_a_mistake()
    {
        string targets = string.Join(',', Enumerable.Range(0, HttpTargets.Most).Select(i => $"\"10.0.{i / 256}.{i % 256}:1\""));
        Assert.That(Read($$"""[{"targets":[{{targets}}]}]"""), Does.StartWith("="));
        Assert.That(Read($$"""[{"targets":[{{targets}},"10.1.0.0:1"]}]"""), Does.StartWith("? more than 10000"));
    }

    private static string Read(string json)
    {
        SourceReading reading = HttpTargets.Read(Encoding.UTF8.GetBytes(json), "v");
        Assert.That(reading is not SourceReading.Complete complete || complete.Version == "v", Is.True);
        return SourceWatch.Text(reading);
    }
}
