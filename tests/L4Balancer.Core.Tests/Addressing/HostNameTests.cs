using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Tests.Addressing;

internal sealed class HostNameTests
{
    [TestCase("ws1:80", "ws1", 80)]
    [TestCase("WS-1.Example.com:65535", "ws-1.example.com", 65535)]
    [TestCase("example.com.:443", "example.com.", 443)]
    [TestCase("3com.com:1", "3com.com", 1)]
    [TestCase("10.0.0.1a:1", "10.0.0.1a", 1)]
    [TestCase("chat_app_1:9002", "chat_app_1", 9002)]
    [TestCase("_Ws._tcp.example.com:443", "_ws._tcp.example.com", 443)]
    [TestCase("a_:1", "a_", 1)]
    public void A_name_is_read_in_lower_case(string text, string host, int port)
    {
        Assert.That(HostName.TryParse(text, out HostName name), Is.True);
        Assert.That((name.Host, (int)name.Port), Is.EqualTo((host, port)));
    }

    [TestCase(null)]
    [TestCase("")]
    [TestCase("host")]
    [TestCase(":80")]
    [TestCase(".:80")]
    [TestCase("a..b:80")]
    [TestCase(".a:80")]
    [TestCase("-a:80")]
    [TestCase("a-:80")]
    [TestCase("*.a:80")]
    [TestCase("a b:80")]
    [TestCase("bücher.example:80")]
    [TestCase("10.0.0.256:80")]
    [TestCase("a.1:80")]
    [TestCase("[a]:80")]
    [TestCase("a:b:80")]
    [TestCase("a:080")]
    [TestCase("a:65536")]
    [TestCase("a:+1")]
    public void What_is_no_name_is_refused(string? text) => Assert.That(HostName.TryParse(text, out _), Is.False);

    [Test]
    public void Its_length_is_bounded()
    {
        string label = new('a', 63);
        string longest = $"{label}.{label}.{label}.{new string('b', 61)}";

        Assert.That(longest, Has.Length.EqualTo(253));
        Assert.That(HostName.TryParse($"{longest}:80", out _), Is.True);
        Assert.That(HostName.TryParse($"{longest}.:80", out _), Is.True);
        Assert.That(HostName.TryParse($"{longest}b:80", out _), Is.False);
        Assert.That(HostName.TryParse($"{label}a:80", out _), Is.False);
    }
}
