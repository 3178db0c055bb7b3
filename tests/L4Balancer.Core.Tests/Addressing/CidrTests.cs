using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Tests.Addressing;

internal sealed class CidrTests
{
    [TestCase("203.0.113.0/24", "203.0.113.255", true)]
    [TestCase("203.0.113.0/24", "203.0.114.0", false)]
    [TestCase("203.0.113.7", "203.0.113.7", true)]
    [TestCase("203.0.113.7", "203.0.113.6", false)]
    [TestCase("10.0.0.7/8", "10.255.0.1", true)]
    [TestCase("0.0.0.0/0", "1.2.3.4", true)]
    [TestCase("0.0.0.0/0", "2001:db8::1", false)]
    [TestCase("::/0", "2001:db8::1", true)]
    [TestCase("::/0", "1.2.3.4", false)]
    [TestCase("2001:db8::/32", "2001:db8:ffff::1", true)]
    [TestCase("2001:db8::/32", "2001:db9::1", false)]
    [TestCase("2001:db8::/65", "2001:db8:0:0:7fff::", true)]
    [TestCase("2001:db8::/65", "2001:db8:0:0:8000::", false)]
    [TestCase("2001:db8::1/128", "2001:db8::1", true)]
    [TestCase("2001:db8::1/128", "2001:db8::2", false)]
    [TestCase("2001:db8::/64", "2001:db8::1:0:0:1", true)]
    public void A_range_holds_the_addresses_that_share_its_prefix(string range, string address, bool holds)
    {
        Assert.That(Cidr.TryParse(range, out Cidr cidr), Is.True);
        Assert.That(HostAddress.TryParse(address, out HostAddress host), Is.True);
        Assert.That(cidr.Contains(host), Is.EqualTo(holds));
    }

    [TestCase("")]
    [TestCase(null)]
    [TestCase("10.0.0.0/33")]
    [TestCase("10.0.0.0/-1")]
    [TestCase("10.0.0.0/")]
    [TestCase("10.0.0.0/8/8")]
    [TestCase("2001:db8::/129")]
    [TestCase("10.0.0/8")]
    [TestCase("host/8")]
    public void What_is_no_range_is_refused(string? text) => Assert.That(Cidr.TryParse(text, out _), Is.False);

    [TestCase("203.0.113.0/24", "203.0.113.0/24")]
    [TestCase("203.0.113.7", "203.0.113.7/32")]
    [TestCase("2001:db8::/32", "2001:db8::/32")]
    public void A_range_reads_as_it_is_written(string text, string shown) =>
        Assert.That(Cidr.TryParse(text, out Cidr cidr) ? cidr.ToString() : "", Is.EqualTo(shown));
}
