using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Tests.Addressing;

/// <summary>One address and port has one way to be written, but for what IPv6 itself leaves free.</summary>
internal sealed class EndpointTests
{
    [TestCase("10.0.0.1:443")]
    [TestCase("0.0.0.0:0")]
    [TestCase("255.255.255.255:65535")]
    [TestCase("[2001:db8::1]:443")]
    [TestCase("[::]:8080")]
    public void What_is_read_is_written_the_same_way(string text)
    {
        Assert.That(Endpoint.TryParse(text, out Endpoint endpoint), Is.True);
        Assert.That(endpoint.ToString(), Is.EqualTo(text));
    }

    [TestCase("10.0.0.1:0443")]
    [TestCase("10.0.0.1:00")]
    [TestCase("[2001:db8::1]:080")]
    public void A_port_has_no_leading_zeros(string text) => Assert.That(Endpoint.TryParse(text, out _), Is.False);

    [TestCase(null)]
    [TestCase("")]
    [TestCase("10.0.0.1")]
    [TestCase("10.0.0.1:")]
    [TestCase(":443")]
    [TestCase("10.0.0.1:65536")]
    [TestCase("10.0.0.1:-1")]
    [TestCase("10.0.0.1:+1")]
    [TestCase("10.0.0.1: 1")]
    [TestCase("10.0.0.1:1 ")]
    [TestCase("10.0.0.1:４４３")]
    [TestCase("10.0.0:443")]
    [TestCase("10.0.0.01:443")]
    [TestCase("10.0.0.256:443")]
    [TestCase("[10.0.0.1]:443")]
    [TestCase("2001:db8::1:443")]
    [TestCase("[2001:db8::1]")]
    [TestCase("[]:443")]
    [TestCase("[fe80::1%eth0]:443")]
    [TestCase("host.name:443")]
    public void Anything_else_is_none(string? text) => Assert.That(Endpoint.TryParse(text, out _), Is.False);
}
