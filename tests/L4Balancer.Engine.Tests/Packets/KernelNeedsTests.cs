using System.Runtime.Versioning;
using L4Balancer.Engine.Packets;

namespace L4Balancer.Engine.Tests.Packets;

[TestFixture]
[SupportedOSPlatform("linux")]
internal sealed class KernelNeedsTests
{
    private const string Nothing = "Name:\tx\nCapEff:\t0000000000000000\n";
    private const string Enough = "CapEff:\t000000c000001000\nCapBnd:\t0\n";

    [Test]
    public void Each_right_that_is_missing_is_said_with_the_mend()
    {
        IReadOnlyList<string> missing = KernelNeeds.Missing("/proc/l4balancer", new Version(6, 1), Nothing);
        Assert.That(missing, Has.Count.EqualTo(2));
        Assert.That(missing[0], Does.StartWith("CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN are missing: the drop-in packet-mode.conf adds"));
        Assert.That(missing[0], Does.Contain("/usr/share/doc/l4balancer/packaging/systemd/packet-mode.conf"));
        Assert.That(missing[1], Does.Contain("mount -t bpf"));
    }

    [TestCase("0000004000001000", "CAP_BPF is missing")]
    [TestCase("0000008000001000", "CAP_PERFMON is missing")]
    [TestCase("000000c000000000", "CAP_NET_ADMIN is missing")]
    [TestCase("0000000000200000", "CAP_NET_ADMIN is missing")]
    public void Single_right_that_is_missing_is_named(string effective, string said) =>
        Assert.That(KernelNeeds.Missing("/proc", new Version(6, 1), $"CapEff:\t{effective}\n")[0], Does.StartWith(said));

    [Test]
    public void Three_capabilities_are_enough()
    {
        Assert.That(KernelNeeds.Missing("/proc", new Version(6, 1), Enough), Has.Count.EqualTo(1), "only the file system");
    }

    [Test]
    public void Kernel_without_links_is_refused_by_its_version()
    {
        Assert.That(KernelNeeds.Missing("/proc", new Version(5, 4), Enough)[0], Does.Contain("Linux 5.9"));
    }

    [Test]
    public void Layout_of_the_maps_is_read_from_its_name()
    {
        var limits = new PacketLimits(64, 16, 256, 1_000_000, new ChoiceTable(65_537, 128));
        PacketLimits read = PacketLayout.Parse(PacketLayout.NameOf(limits))!;
        Assert.That(
            (read.Services, read.Pools, read.Backends, read.Flows, read.Table.Entries, read.Table.Members),
            Is.EqualTo((64, 16, 256, 1_000_000, 65_537, 128)));
        Assert.That(read.SecondChance, Is.False);
        Assert.That(PacketLayout.Parse(PacketLayout.NameOf(limits with { SecondChance = true }))!.SecondChance, Is.True);
        Assert.That(PacketLayout.Parse(PacketLayout.NameOf(limits).Replace($"-{PacketLayout.Version}-", $"-{PacketLayout.Version + 1}-", StringComparison.Ordinal)), Is.Null);
        Assert.That(PacketLayout.Parse("layout-1"), Is.Null);
        Assert.That(PacketLayout.Parse("maps"), Is.Null);
    }

    [Test]
    public void Reasons_of_drops_are_words_with_hyphens()
    {
        Assert.That(PacketPlane.TextOf(PacketDrop.NoBackend), Is.EqualTo("no-backend"));
        Assert.That(PacketPlane.TextOf(PacketDrop.Fragment), Is.EqualTo("fragment"));
    }
}
