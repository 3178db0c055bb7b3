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

    /// <summary>
    /// The same over few ranges that lie close to each other: one address differs from a range's in a single bit. A set that fails is cut
    /// down to the ranges that it needs.
    /// </summary>
    [FsCheck.NUnit.Property(MaxTest = 500, EndSize = 30)]
    public bool Few_ranges_that_overlap_answer_as_each_would(Neighbour[] neighbours)
    {
        Cidr[] ranges = [.. neighbours.Select(n => Range($"{n.Address}/{n.Length}"))];
        var set = new PrefixSet(ranges);
        return neighbours.Select(n => Parse(n.Probe)).All(probe => set.Contains(probe) == ranges.Any(r => r.Contains(probe)));
    }

    [TestCase("::/0", "10.0.0.1", ExpectedResult = false)]
    [TestCase("0.0.0.0/0", "10.0.0.1", ExpectedResult = true)]
    [TestCase("0.0.0.0/0", "::1", ExpectedResult = false)]
    [TestCase("::/0", "::1", ExpectedResult = true)]
    [TestCase("unix", "::", ExpectedResult = true)]
    [TestCase("unix", "::1", ExpectedResult = false)]
    [TestCase("::", "::", ExpectedResult = false, Description = "the address of the clients of UNIX sockets, which are in no range")]
    [TestCase("::/128", "::", ExpectedResult = false)]
    [TestCase("::/0", "::", ExpectedResult = false)]
    public bool A_family_does_not_hold_the_other(string range, string address)
    {
        Assert.That(Range(range).Contains(Parse(address)), Is.EqualTo(new PrefixSet([Range(range)]).Contains(Parse(address))));
        return new PrefixSet([Range(range)]).Contains(Parse(address));
    }

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

    /// <summary>A range and an address near it, as FsCheck draws them.</summary>
    public sealed record Neighbour(bool IsSix, byte Low, byte High, byte Prefix, byte FlippedBit)
    {
        public int Length => IsSix ? Prefix % 129 : Prefix % 33;

        public string Address => Text(High, Low);

        public string Probe => IsSix
            ? Text((byte)(High ^ (FlippedBit % 2 == 0 ? 1 << (FlippedBit / 2 % 8) : 0)), (byte)(Low ^ (FlippedBit % 2 == 1 ? 1 << (FlippedBit / 2 % 8) : 0)))
            : HostAddress.FromV4(((uint)High << 24 | Low) ^ (1u << (FlippedBit % 32))).ToString();

        private string Text(byte high, byte low) =>
            IsSix ? new HostAddress((ulong)high << 56, low).ToString() : HostAddress.FromV4((uint)high << 24 | low).ToString();
    }
}
