using L4Balancer.Core.Ports;

namespace L4Balancer.Core.Tests.Ports;

/// <summary>What the kernel gives to connects, read from its two files.</summary>
internal sealed class PortRangeTests
{
    [TestCase("32768\t60999\n", "\n", 32768, 60999, 28232)]
    [TestCase("1000 1999", "", 1000, 1999, 1000)]
    [TestCase("1000 1999", "1000,1500-1599,3000\n", 1000, 1999, 899)]
    [TestCase("1000 1999", "900-1009,1005-1019", 1000, 1999, 980)]
    public void Limit_is_the_range_less_what_is_reserved(string range, string reserved, int first, int last, int count)
    {
        PortRange read = PortRange.Parse(range, reserved);

        Assert.That((read.First, read.Last, read.Count), Is.EqualTo((first, last, count)));
    }

    [TestCase("")]
    [TestCase("nonsense")]
    [TestCase("5 4")]
    [TestCase("1 70000")]
    public void What_is_no_range_sets_no_limit(string text)
    {
        Assert.That(PortRange.Parse(text, ""), Is.SameAs(PortRange.Unknown));
    }

    [Test]
    public void Ranges_agree_where_they_give_the_same_ports()
    {
        PortRange range = PortRange.Parse("1000 1999", "1500");

        using (Assert.EnterMultipleScope())
        {
            Assert.That(range.Agrees(PortRange.Parse("1000\t1999", "1500\n")), Is.True);
            Assert.That(range.Agrees(PortRange.Parse("1000 1999", "1501")), Is.False);
            Assert.That(range.Agrees(PortRange.Unknown), Is.False);
        }
    }
}
