using System.Globalization;
using System.Text;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Tests.Addressing;

internal sealed class AddressTextTests
{
    [TestCase("0.0.0.0:0")]
    [TestCase("255.255.255.255:65535")]
    [TestCase("10.20.100.9:443")]
    [TestCase("[::]:1")]
    [TestCase("[::1]:1")]
    [TestCase("[1::]:1")]
    [TestCase("[2001:db8::1]:443")]
    [TestCase("[2001:db8:0:1::1]:443")]
    [TestCase("[2001:0:0:1::1]:443")]
    [TestCase("[1:0:2:0:3:0:4:0]:9")]
    [TestCase("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")]
    [TestCase("[::10.0.0.1]:80")]
    [TestCase("[::ffff:0:10.0.0.1]:80")]
    [TestCase("[fe80::5efe:10.0.0.1]:80")]
    public void Text_is_that_of_the_framework(string text)
    {
        Assert.That(Endpoint.TryParse(text, out Endpoint endpoint), Is.True);
        Assert.That(Formatted(endpoint), Is.EqualTo(endpoint.ToString()));
    }

    [Test]
    public void Every_address_has_the_text_of_the_framework()
    {
        var random = new Random(4711);
        Span<byte> bytes = stackalloc byte[16];
        for (int i = 0; i < 20_000; i++)
        {
            random.NextBytes(bytes);
            int zeros = random.Next();
            for (int group = 0; group < 8; group++)
            {
                if ((zeros >> group & 1) != 0)
                {
                    bytes.Slice(2 * group, 2).Clear();
                }
            }

            HostAddress address = i % 4 == 0 ? HostAddress.FromV4((uint)random.Next()) : HostAddress.FromV6(bytes);
            var endpoint = new Endpoint(address, (ushort)random.Next(65536));
            string expected = string.Create(
                CultureInfo.InvariantCulture, $"{(address.IsV4 ? "" : "[")}{address.ToIPAddress()}{(address.IsV4 ? "" : "]")}:{endpoint.Port}");
            Assert.That(Formatted(endpoint), Is.EqualTo(expected));
        }
    }

    private static string Formatted(Endpoint endpoint)
    {
        Span<byte> utf8 = stackalloc byte[Endpoint.LongestText];
        return Encoding.UTF8.GetString(utf8[..endpoint.Format(utf8)]);
    }
}
