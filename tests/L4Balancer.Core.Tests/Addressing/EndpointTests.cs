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

    [TestCase("unix:/run/chat.sock")]
    [TestCase("unix:/a")]
    public void A_UNIX_socket_is_its_path(string text)
    {
        Assert.That(Endpoint.TryParseUnix(text, out Endpoint endpoint), Is.True);
        Assert.That(Endpoint.TryParseUnix(text, out Endpoint again), Is.True);
        Assert.That(Endpoint.TryParseUnix(text + "2", out Endpoint other), Is.True);
        Assert.That((endpoint.ToString(), endpoint.UnixPath, endpoint.IsUnix), Is.EqualTo((text, text[5..], true)));
        Assert.That(endpoint, Is.EqualTo(again).And.Not.EqualTo(other).And.Not.EqualTo(default(Endpoint)));
        Assert.That(Endpoint.TryParse(text, out _), Is.False, "Only a listener or a backend can be one.");
    }

    [TestCase("unix:")]
    [TestCase("unix:/")]
    [TestCase("unix:run/a")]
    [TestCase("unix:@a")]
    [TestCase("unix:/run/")]
    [TestCase("unix:/run/a b")]
    [TestCase("unix:/run/a\n")]
    [TestCase("unix:/run/\"a")]
    [TestCase("unix:/run/ä")]
    [TestCase("/run/a")]
    public void What_is_no_path_is_no_UNIX_socket(string text) => Assert.That(Endpoint.TryParseUnix(text, out _), Is.False);

    [Test]
    public void A_path_is_as_long_as_the_kernel_takes_it()
    {
        Assert.That(Endpoint.TryParseUnix($"unix:/{new string('a', 106)}", out _), Is.True);
        Assert.That(Endpoint.TryParseUnix($"unix:/{new string('a', 107)}", out _), Is.False);
    }

    [Test]
    public void A_client_of_a_UNIX_socket_is_its_number()
    {
        Assert.That(Endpoint.TryParseUnixClient("unix:17", out Endpoint client), Is.True);
        Assert.That((client, client.ToString(), client.IsUnix), Is.EqualTo((Endpoint.OfUnixClient(17), "unix:17", true)));
        Assert.That(Endpoint.TryParseUnixClient("unix:70000", out _), Is.False);
        Assert.That(Endpoint.TryParseUnixClient("unix:/run/a", out _), Is.False);
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
