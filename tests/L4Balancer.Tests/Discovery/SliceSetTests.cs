using System.Text;
using L4Balancer.Discovery.Kubernetes;
using L4Balancer.Tests.Discovery.Stores;

namespace L4Balancer.Tests.Discovery;

/// <summary>EndpointSlices, and what a pool gets from them.</summary>
[TestFixture]
internal sealed class SliceSetTests
{
    private const string Ready = "\"ready\":true";

    [TestCase("\"ready\":true,\"serving\":true,\"terminating\":false", "chat-0=10.0.0.1:8443*100")]
    [TestCase("", "chat-0=10.0.0.1:8443*100", Description = "no condition is a ready endpoint")]
    [TestCase("\"ready\":null", "chat-0=10.0.0.1:8443*100")]
    [TestCase("\"ready\":false", "")]
    [TestCase("\"ready\":false,\"serving\":true,\"terminating\":true", "")]
    [TestCase("\"ready\":true,\"terminating\":true", "", Description = "publishNotReadyAddresses")]
    public void Ready_endpoints_that_are_not_terminating_are_backends(string conditions, string backends) => Assert.That(
        Read("ws", KubernetesStore.Slice("8443", KubernetesStore.Endpoint("chat-0", "10.0.0.1", conditions))), Is.EqualTo(backends));

    [TestCase("ws", "chat-0=10.0.0.1:8443*100")]
    [TestCase("8443", "chat-0=10.0.0.1:8443*100")]
    [TestCase("", "chat-0=10.0.0.1:9*100")]
    [TestCase("wss", "? EndpointSlice \"s0\": no port \"wss\" of TCP")]
    [TestCase("444", "? EndpointSlice \"s0\": no port \"444\" of TCP")]
    public void Port_is_found_by_name_or_number_and_is_otherwise_the_first(string port, string backends) => Assert.That(
        Read(port, KubernetesStore.Slice("8443", KubernetesStore.Endpoint("chat-0", "10.0.0.1", Ready))), Is.EqualTo(backends));

    [Test]
    public void Port_of_UDP_is_none() => Assert.That(
        Read("", $$"""
            "endpoints":[{{KubernetesStore.Endpoint("chat-0", "10.0.0.1", Ready)}}],"ports":[{"port":53,"protocol":"UDP"},{"port":54}]
            """),
        Is.EqualTo("chat-0=10.0.0.1:54*100"));

    [Test]
    public void Pod_with_both_families_is_one_backend() => Assert.That(
        Read(
            "ws", KubernetesStore.Slice("1", KubernetesStore.Endpoint("chat-0", "2001:db8::1", Ready), KubernetesStore.Endpoint("chat-1", "2001:db8::2", Ready)),
            KubernetesStore.Slice("1", KubernetesStore.Endpoint("chat-0", "10.0.0.1", Ready))),
        Is.EqualTo("chat-0=10.0.0.1:1*100 chat-1=[2001:db8::2]:1*100"));

    [Test]
    public void Slice_without_a_living_endpoint_needs_no_port() => Assert.That(
        Read("ws", "\"endpoints\":null,\"ports\":null", "\"endpoints\":[]", $"\"endpoints\":[{KubernetesStore.Endpoint("a", "10.0.0.1", "\"ready\":false")}]"),
        Is.Empty);

    [TestCase("\"endpoints\":[null],\"ports\":[{\"port\":1}]", "the address \"\" is not an IP address")]
    [TestCase("\"endpoints\":[{\"addresses\":[]}],\"ports\":[{\"port\":1}]", "the address \"\"")]
    [TestCase("\"endpoints\":[{\"addresses\":[\"ws.example.com\"]}],\"ports\":[{\"port\":1}]", "the address \"ws.example.com\"")]
    [TestCase("\"endpoints\":[{\"addresses\":[\"10.0.0.1\"]}],\"ports\":[{\"name\":\"x\"}]", "no port of TCP")]
    [TestCase("\"endpoints\":[{\"addresses\":[\"10.0.0.1\"]}],\"ports\":[{\"port\":70000}]", "no port of TCP")]
    public void One_that_cannot_be_used_makes_all_unknown(string slice, string why) =>
        Assert.That(Read("", slice), Does.StartWith("? EndpointSlice \"s0\": ").And.Contain(why));

    [TestCase("")]
    [TestCase("null")]
    [TestCase("{}")]
    [TestCase("""{"kind":"Status","code":200}""")]
    [TestCase("""{"metadata":{"resourceVersion":"1"}}""")]
    [TestCase("""{"metadata":{"resourceVersion":"1"},"items":[null]}""")]
    [TestCase("""{"metadata":{"resourceVersion":"1"},"items":[{"metadata":{}}]}""")]
    [TestCase("""{"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"a"},"endpoints":"x"}]}""")]
    public void What_is_not_a_list_is_refused(string json)
    {
        var set = new SliceSet("");
        Assert.That(set.List(Encoding.UTF8.GetBytes(json)), Is.EqualTo("the answer is not a list of EndpointSlices"));
    }

    [TestCase("", "not an event")]
    [TestCase("""{"type":"ADDED"}""", "not an event")]
    [TestCase("""{"type":"ADDED","object":{"metadata":{"name":"a"}}}""", "without the name or version")]
    [TestCase("""{"type":"ADDED","object":{"metadata":{"resourceVersion":"2"}}}""", "without the name or version")]
    [TestCase("""{"type":"RENAMED","object":{"metadata":{"name":"a","resourceVersion":"2"}}}""", "unknown type \"RENAMED\"")]
    [TestCase("""{"type":"ERROR","object":{"code":410,"message":"too old"}}""", "410 too old")]
    public void Event_that_cannot_be_taken_ends_the_watch(string json, string why)
    {
        var set = new SliceSet("");
        Assert.That(set.List("""{"metadata":{"resourceVersion":"1"},"items":[]}"""u8), Is.Null);
        Assert.That(set.Follow(Encoding.UTF8.GetBytes(json), out bool changed), Does.Contain(why));
        Assert.That((changed, set.Version), Is.EqualTo((false, "1")));
    }

    private static string Read(string port, params string[] slices)
    {
        var set = new SliceSet(port);
        string items = string.Join(',', slices.Select((s, i) => $$$"""{"metadata":{"name":"s{{{i}}}"},{{{s.Trim()}}}}"""));
        Assert.That(set.List(Encoding.UTF8.GetBytes($$$"""{"metadata":{"resourceVersion":"1"},"items":[{{{items}}}]}""")), Is.Null);
        return SourceWatch.Text(set.ToReading());
    }
}
