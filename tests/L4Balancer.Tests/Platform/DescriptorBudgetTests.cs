using System.Diagnostics;
using System.Runtime.Versioning;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Linux;
using L4Balancer.Platform;

namespace L4Balancer.Tests.Platform;

internal sealed class DescriptorBudgetTests
{
    [TestCase(1_048_576, ExpectedResult = (1_048_576 - 320 - (2 * (2 + 512))) / 2)]
    [TestCase(1024, ExpectedResult = (1024 - 320 - (2 * (2 + 32))) / 2)]
    [TestCase(350, ExpectedResult = (350 - 320 - (2 * (2 + 10))) / 2)]
    [TestCase(100, ExpectedResult = 0)]
    [TestCase(long.MaxValue, ExpectedResult = int.MaxValue)]
    public int A_connection_takes_two_descriptors_and_the_reserve_stays(long limit) =>
        DescriptorBudget.For(new BalancerConfig(), limit, workers: 2).Connections;

    [Test]
    public void What_the_configuration_needs_besides_is_in_the_reserve()
    {
        Assert.That(DescriptorBudget.For(ConfigOf(backends: 100), 10_000, workers: 2).Reserve, Is.EqualTo(256 + 64 + (2 * (2 + 312)) + 1 + 100));
        Assert.That(
            DescriptorBudget.For(ConfigOf(backends: 10_000), 10_000, workers: 2).Reserve, Is.EqualTo(256 + 64 + (2 * (2 + 312)) + 1 + 1000),
            "no more are under probe at once");
    }

    [Test]
    public void A_source_and_the_probes_of_what_it_may_have_are_in_the_reserve()
    {
        BalancerConfig file = ConfigOf(backends: 100);
        BalancerConfig source = file with { Pools = [file.Pools[0] with { Discovery = new DiscoverySettings { Kind = DiscoveryKind.File } }] };
        BalancerConfig unprobed = source with { Pools = [source.Pools[0] with { Health = new HealthSettings { Type = HealthType.None } }] };

        Assert.That(More(source, than: file, limit: 8000), Is.EqualTo(16 + 500));
        Assert.That(More(source, than: file, limit: 1_000_000), Is.EqualTo(16 + 900), "no more are under probe at once");
        Assert.That(More(unprobed, than: file, limit: 8000), Is.EqualTo(16 - 100));

        static long More(BalancerConfig config, BalancerConfig than, long limit) =>
            DescriptorBudget.For(config, limit, workers: 2).Reserve - DescriptorBudget.For(than, limit, workers: 2).Reserve;
    }

    [Test]
    public void Each_address_of_the_admin_API_is_in_the_reserve()
    {
        AdminSettings[] settings = [new() { Socket = "" }, new(), new() { Listen = default(Core.Addressing.Endpoint) }];
        Assert.That(
            settings.Select(s => DescriptorBudget.For(new BalancerConfig { Admin = s }, 1024, workers: 2).Reserve - 256 - (2 * (2 + 32))),
            Is.EqualTo(new[] { 0, 64, 128 }));
    }

    [Test]
    [Platform("Linux")]
    [SupportedOSPlatform("linux")]
    public void The_soft_limit_becomes_the_hard_one()
    {
        // The runtime raises it at its own start, so it has to be lowered first.
        if (!File.Exists("/usr/bin/prlimit"))
        {
            Assert.Ignore("prlimit (util-linux) is not installed");
        }

        using (Process lower = Process.Start("/usr/bin/prlimit", ["--pid", $"{Environment.ProcessId}", "--nofile=900:"]))
        {
            lower.WaitForExit();
            Assert.That(lower.ExitCode, Is.Zero);
        }

        Assert.That(ResourceLimits.DescriptorLimit(), Is.EqualTo(900));
        Assert.That(ResourceLimits.RaiseDescriptorLimit(out long limit), Is.Zero);
        string line = File.ReadLines("/proc/self/limits").Single(l => l.StartsWith("Max open files", StringComparison.Ordinal));
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(words[3], Is.EqualTo(words[4]));
        Assert.That(limit.ToString(System.Globalization.CultureInfo.InvariantCulture), Is.EqualTo(words[3]));
        Assert.That(ResourceLimits.DescriptorLimit(), Is.EqualTo(limit));
    }

    private static BalancerConfig ConfigOf(int backends) => new()
    {
        Listeners = [new ListenerSettings { Name = "a", Bind = [default], Pool = "p" }],
        Pools =
        [
            new PoolSettings
            {
                Name = "p",
                Backends = [.. Enumerable.Range(1, backends).Select(i => new BackendSettings { Name = $"b{i}", Address = "", Endpoint = default })],
            },
        ],
    };
}
