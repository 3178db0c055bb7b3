using System.Globalization;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Tests.Addressing;

/// <summary>Many ranges asked as one, held against asking each.</summary>
internal sealed class PrefixSetTests
{
    [Test]
    public void It_answers_as_every_range_one_by_one_would()
    {
        var random = new Random(7);
        Cidr[] ranges = [.. Enumerable.Range(0, 300).Select(_ => Range($"{Address(random)}/{random.Next(0, 33)}"))];
        Cidr[] six = [.. Enumerable.Range(0, 300).Select(_ => Range($"{Address6(random)}/{random.Next(0, 129)}"))];
        Cidr[] few = [.. ranges.Concat(six).Where(r => int.Parse(r.ToString().Split('/')[1], CultureInfo.InvariantCulture) > 4)];
        var set = new PrefixSet(few);
        int inside = 0;
        for (int i = 0; i < 20_000; i++)
        {
            // Half of them near a range, or almost none would be in one.
            HostAddress address = Parse(i % 2 == 0 ? few[random.Next(few.Length)].ToString().Split('/')[0] : i % 4 == 1 ? Address(random) : Address6(random));
            bool expected = few.Any(r => r.Contains(address));
            inside += expected ? 1 : 0;
            Assert.That(set.Contains(address), Is.EqualTo(expected), address.ToString());
        }

        Assert.That(inside, Is.InRange(5_000, 15_000), "both answers occurred");
    }

    [TestCase("::/0", "10.0.0.1", ExpectedResult = false)]
    [TestCase("0.0.0.0/0", "10.0.0.1", ExpectedResult = true)]
    [TestCase("0.0.0.0/0", "::1", ExpectedResult = false)]
    [TestCase("::/0", "::1", ExpectedResult = true)]
    public bool A_family_does_not_hold_the_other(string range, string address) => new PrefixSet([Range(range)]).Contains(Parse(address));

    private static Cidr Range(string text)
    {
        Assert.That(Cidr.TryParse(text, out Cidr range), text);
        return range;
    }

    private static HostAddress Parse(string text)
    {
        Assert.That(HostAddress.TryParse(text, out HostAddress address), text);
        return address;
    }

    private static string Address(Random random) => HostAddress.FromV4((uint)random.NextInt64(1L << 32)).ToString();

    private static string Address6(Random random) => new HostAddress((ulong)random.NextInt64(), (ulong)random.NextInt64()).ToString();
}
