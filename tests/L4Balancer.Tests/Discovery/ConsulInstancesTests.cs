using System.Text;
using L4Balancer.Discovery.Consul;
using L4Balancer.Tests.Discovery.Stores;

namespace L4Balancer.Tests.Discovery;

/// <summary>Consul's answers about the health of a service, and what a pool gets from them.</summary>
[TestFixture]
internal sealed class ConsulInstancesTests
{
    [TestCase("", "n1=192.0.2.1:8080*100")]
    [TestCase("\"Address\":\"\",", "n1=192.0.2.1:8080*100")]
    [TestCase("\"Address\":\"10.0.0.1\",", "n1=10.0.0.1:8080*100")]
    [TestCase("\"Address\":\"2001:db8::1\",", "n1=[2001:db8::1]:8080*100")]
    [TestCase("\"Tags\":[\"v1\",\"backup\"],", "n1=192.0.2.1:8080*100 backup")]
    [TestCase("\"Tags\":null,\"Meta\":null,\"Weights\":null,", "n1=192.0.2.1:8080*100")]
    [TestCase("\"ID\":\"chat-1\",", "n1.chat-1=192.0.2.1:8080*100")]
    [TestCase("\"ID\":\"_nomad-task-5f3d2c1b-0a9e-4d8c-b7f6-a5e4d3c2b1a0-group-chat-ws\",", "n1._nomad-task-5f3d2c1b-0a9e-4d8c-b7f6-a5e4d3c2b1a0-group-chat-ws=192.0.2.1:8080*100")]
    [TestCase("\"Weights\":{\"Passing\":3,\"Warning\":1},", "n1=192.0.2.1:8080*300")]
    [TestCase("\"Weights\":{\"Passing\":0},", "n1=192.0.2.1:8080*0")]
    [TestCase("\"Meta\":{\"name\":\"ws1\",\"weight\":\"7\",\"backup\":\"true\",\"max_connections\":\"9\",\"public_url\":\"wss://a.example/\",\"x\":\"y\"},",
        "ws1=192.0.2.1:8080*7 backup max 9 wss://a.example/")]
    public void Instances_are_backends(string service, string backend) => Assert.That(Read(Instance("n1", service)), Is.EqualTo(backend));

    [Test]
    public void Weights_keep_their_proportions_where_they_go_beyond_the_largest() => Assert.That(
        Read(
            Instance("n1", "\"Address\":\"10.0.0.1\",\"Weights\":{\"Passing\":20},"), Instance("n2", "\"Address\":\"10.0.0.2\",\"Weights\":{\"Passing\":5},"),
            Instance("n3", "\"Address\":\"10.0.0.3\",\"Weights\":{\"Passing\":0},")),
        Is.EqualTo("n1=10.0.0.1:8080*1000 n2=10.0.0.2:8080*250 n3=10.0.0.3:8080*0"));

    [TestCase("[]", "")]
    [TestCase("", "? the answer is not a JSON array")]
    [TestCase("null", "? the answer is not a JSON array")]
    [TestCase("{}", "? the answer is not a JSON array")]
    [TestCase("[null]", "? \"\": an instance has no service")]
    [TestCase("[{\"Node\":{}}]", "? \"\": an instance has no service")]
    [TestCase("[{\"Service\":{\"ID\":\"a\",\"Port\":1}}]", "? \"a\": the address \"\" is not an IP address")]
    [TestCase("[{\"Service\":{\"ID\":\"a\",\"Address\":\"ws.example.com\",\"Port\":1}}]", "? \"a\": the address \"ws.example.com\" is not")]
    [TestCase("[{\"Service\":{\"ID\":\"a\",\"Address\":\"10.0.0.1\",\"Port\":0}}]", "? \"a\": the port 0")]
    [TestCase("[{\"Service\":{\"ID\":\"a\",\"Address\":\"10.0.0.1\",\"Port\":1,\"Weights\":{\"Passing\":-1}}}]", "? \"a\": the weight -1")]
    [TestCase("[{\"Service\":{\"ID\":\"a\",\"Address\":\"10.0.0.1\",\"Port\":1,\"Meta\":{\"weight\":\"x\"}}}]", "? \"a\": weight cannot be \"x\"")]
    [TestCase("[{\"Service\":{\"ID\":\"a\",\"Address\":\"10.0.0.1\",\"Port\":\"1\"}}]", "? the list of instances cannot be read at \"$[0].Service.Port\"")]
    public void One_that_cannot_be_used_makes_all_unknown(string json, string start) =>
        Assert.That(SourceWatch.Text(ConsulInstances.Read(Encoding.UTF8.GetBytes(json), "1")), start.Length == 0 ? Is.Empty : Does.StartWith(start));

    private static string Instance(string node, string service) =>
        $$$"""{"Node":{"Node":"{{{node}}}","Address":"192.0.2.1"},"Service":{{{{(service.Contains("ID", StringComparison.Ordinal) ? "" : "\"ID\":\"chat\",")}}}{{{service}}}"Service":"chat","Port":8080},"Checks":[]}""";

    private static string Read(params string[] instances) =>
        SourceWatch.Text(ConsulInstances.Read(Encoding.UTF8.GetBytes($"[{string.Join(',', instances)}]"), "1"));
}
