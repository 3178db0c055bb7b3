using System.Net;
using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Inspection;

namespace L4Balancer.Core.Tests.Inspection;

/// <summary>Addresses as text, held against those of the framework.</summary>
internal sealed class AddressParserTests
{
    private const int Rounds = 20_000;

    [Test]
    public void Random_addresses_are_written_as_the_framework_does_and_read_again()
    {
        Random random = new(15);
        byte[] bytes = new byte[16];
        byte[] text = new byte[AddressText.LongestAddress];
        for (int i = 0; i < Rounds; i++)
        {
            random.NextBytes(bytes);
            for (int group = 0; group < 8; group++)
            {
                if (random.Next(3) > 0) bytes.AsSpan(2 * group, 2).Clear();
            }

            // Addresses below ::1:0:0 are written with a dotted tail by the framework, which RFC 5952 does not ask for.
            bytes[0] = 0x20;
            HostAddress address = HostAddress.FromV6(bytes);
            string written = Encoding.ASCII.GetString(text, 0, AddressText.Write(address, text));

            Assert.That(written, Is.EqualTo(new IPAddress(bytes).ToString()));
            Assert.That(AddressParser.TryParseV6(Encoding.ASCII.GetBytes(written), out HostAddress read), Is.True, written);
            Assert.That(read, Is.EqualTo(address));

            HostAddress v4 = HostAddress.FromV4((uint)random.NextInt64(1L << 32));
            int length = AddressText.Write(v4, text);
            Assert.That(Encoding.ASCII.GetString(text, 0, length), Is.EqualTo(v4.ToString()));
            Assert.That(AddressParser.TryParseV4(text.AsSpan(0, length), out read), Is.True);
            Assert.That(read, Is.EqualTo(v4));
            Assert.That(AddressParser.TryParseV6(Encoding.ASCII.GetBytes($"::ffff:{v4}"), out read), Is.True);
            Assert.That(read, Is.EqualTo(v4));
        }
    }

    [Test]
    public void Mutated_texts_are_read_as_the_framework_reads_them()
    {
        string[] seeds =
        [
            "2001:db8::1", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "::ffff:192.0.2.1", "1:2:3:4:5:6:192.0.2.1", "fe80::1:2:0:0:3", "abcd::",
        ];
        const string Alphabet = ":::.0123fFg";
        Random random = new(16);
        int accepted = 0;
        for (int i = 0; i < Rounds; i++)
        {
            StringBuilder text = new(seeds[random.Next(seeds.Length)]);
            for (int changes = random.Next(4); changes > 0; changes--)
            {
                int at = random.Next(text.Length);
                if (random.Next(2) == 0) text.Remove(at, 1);
                text.Insert(Math.Min(at, text.Length), Alphabet[random.Next(Alphabet.Length)]);
            }

            string one = text.ToString();
            bool isAddress = HostAddress.TryParse(one, out HostAddress address);
            bool expected = one.Contains(':') && isAddress && !HasLeadingZeros(one);
            bool actual = AddressParser.TryParseV6(Encoding.ASCII.GetBytes(one), out HostAddress read);
            Assert.That(actual, Is.EqualTo(expected), one);
            if (!actual) continue;
            accepted++;
            Assert.That(read, Is.EqualTo(address), one);
        }

        Assert.That(accepted, Is.InRange(Rounds / 20, Rounds * 19 / 20));
    }

    [TestCase("192.0.2.1", ExpectedResult = true)]
    [TestCase("0.0.0.0", ExpectedResult = true)]
    [TestCase("255.255.255.255", ExpectedResult = true)]
    [TestCase("256.0.0.1", ExpectedResult = false)]
    [TestCase("01.2.3.4", ExpectedResult = false)]
    [TestCase("1.2.3", ExpectedResult = false)]
    [TestCase("1.2.3.4.5", ExpectedResult = false)]
    [TestCase("1.2.3.", ExpectedResult = false)]
    [TestCase("1..2.3", ExpectedResult = false)]
    [TestCase("+1.2.3.4", ExpectedResult = false)]
    [TestCase("1.2.3.4 ", ExpectedResult = false)]
    [TestCase("", ExpectedResult = false)]
    public bool Dotted_quad_has_one_form(string text) => AddressParser.TryParseV4(Encoding.ASCII.GetBytes(text), out _);

    // In a dotted tail, which the framework accepts with leading zeros in some places.
    private static bool HasLeadingZeros(string text) =>
        text.Contains('.') && !AddressParser.TryParseV4(Encoding.ASCII.GetBytes(text[(text.LastIndexOf(':') + 1)..]), out _);
}
