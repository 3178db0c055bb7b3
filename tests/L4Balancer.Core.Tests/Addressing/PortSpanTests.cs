using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Tests.Config;

namespace L4Balancer.Core.Tests.Addressing;

/// <summary>Ranges of ports: read, made into single ports, and shown again.</summary>
internal sealed class PortSpanTests
{
    [TestCase("0.0.0.0:27000-27099", 27000, 27099)]
    [TestCase("[2001:db8::1]:1-2", 1, 2)]
    [TestCase("[::]:65534-65535", 65534, 65535)]
    public void A_range_has_each_port_once(string text, int first, int last)
    {
        Assert.That(PortSpan.TryParse(text, out PortSpan span), Is.True);
        Assert.That(span.Endpoints.Select(e => (int)e.Port), Is.EqualTo(Enumerable.Range(first, last - first + 1)));
        Assert.That(span.Endpoints.Select(e => e.Address).Distinct().Single().ToString(), Is.EqualTo(text[..text.LastIndexOf(':')].Trim('[', ']')));
        Assert.That(span.Count, Is.EqualTo(last - first + 1));
    }

    [TestCase("10.0.0.1:443")]
    [TestCase("10.0.0.1:443-443")]
    [TestCase("10.0.0.1:444-443")]
    [TestCase("10.0.0.1:0-5")]
    [TestCase("10.0.0.1:1-65536")]
    [TestCase("10.0.0.1:01-5")]
    [TestCase("10.0.0.1:1-")]
    [TestCase("10.0.0.1:-5")]
    [TestCase("10.0.0.1:1-2-3")]
    [TestCase("a-b:1")]
    [TestCase("1-2")]
    [TestCase("")]
    [TestCase(null)]
    public void What_is_no_range_is_not_read_as_one(string? text) => Assert.That(PortSpan.TryParse(text, out _), Is.False);

    [TestCase("10.0.0.1:1-4", ExpectedResult = "10.0.0.1:1-4")]
    [TestCase("10.0.0.1:1-2", ExpectedResult = "10.0.0.1:1 10.0.0.1:2")]
    [TestCase("10.0.0.1:9 10.0.0.1:1-4 10.0.0.2:5-7 unix:/a [::1]:3-5", ExpectedResult = "10.0.0.1:9 10.0.0.1:1-4 10.0.0.2:5-7 unix:/a [::1]:3-5")]
    [TestCase("10.0.0.1:0 10.0.0.1:0 10.0.0.1:0", ExpectedResult = "10.0.0.1:0 10.0.0.1:0 10.0.0.1:0")]
    public string A_range_is_shown_as_one(string bind)
    {
        string[] items = [.. bind.Split(' ').Select(b => $"\"{b}\"")];
        ListenerSettings listener = new ConfigText().With("[[listeners]]", "bind", $"[{string.Join(", ", items)}]").Load().Listeners[0];
        return string.Join(' ', PortSpan.Compact(listener.Bind));
    }

    [TestCase("\"127.0.0.1:1-1001\"", "listeners[0].bind[0]: makes more than 1000 addresses and ports of this listener; allowed: 1 to 1000")]
    [TestCase(
        "\"127.0.0.1:1-1000\", \"unix:/run/a\"",
        "listeners[0].bind[1]: makes more than 1000 addresses and ports of this listener; allowed: 1 to 1000")]
    [TestCase("\"[fe80::1]:1-5\"", "is a link-local address")]
    [TestCase("\"unix:a\"", "\"unix:a\" is not a UNIX socket, like \"unix:/run/chat.sock\"")]
    public void What_a_listener_cannot_bind_is_an_error(string bind, string error) =>
        Assert.That(new ConfigText().With("[[listeners]]", "bind", $"[{bind}]").Errors().Single(), Does.Contain(error));
}
