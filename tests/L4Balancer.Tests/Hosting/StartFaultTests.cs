using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Hosting;

/// <summary>What keeps a daemon from starting gives one line with the remedy, and an exit code; what does not is logged.</summary>
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class StartFaultTests
{
    [Test]
    public async Task A_port_in_use_is_one_line_with_the_mend()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        await using DaemonProcess daemon = DaemonProcess.Run(OneBackend.Config(new(IPAddress.Loopback, 9), bind: taken.LocalEndpoint.ToString()!));
        Assert.That(await daemon.ExitAsync(), Is.EqualTo(1));
        Assert.That(daemon.Errors, Has.Count.EqualTo(1));
        Assert.That(daemon.Errors[0], Does.StartWith("l4balancer: ").And.Contain(taken.LocalEndpoint.ToString()!).And.Contain("in use"));
    }

    [TestCase("127.0.0.1")]
    [TestCase("::1")]
    public async Task A_metrics_port_in_use_is_one_line_with_the_mend(string address)
    {
        using var taken = new TcpListener(IPAddress.Parse(address), 0);
        taken.Start();
        await using DaemonProcess daemon = DaemonProcess.Run(
            OneBackend.Config(new(IPAddress.Loopback, 9), metrics: taken.LocalEndpoint.ToString()!));
        Assert.That(await daemon.ExitAsync(), Is.EqualTo(1));
        Assert.That(daemon.Errors, Has.Count.EqualTo(1));
        Assert.That(daemon.Errors[0], Does.Contain("[metrics] listen").And.Contain("in use"));
        Assert.That(daemon.Output, Has.None.Contains("   at ").And.None.Contains("xception"));
    }

    [Test]
    [Platform("Linux")]
    public async Task A_privileged_port_without_the_right_is_one_line_with_the_mend()
    {
        if (int.Parse(File.ReadAllText("/proc/sys/net/ipv4/ip_unprivileged_port_start"), null) <= 1)
        {
            Assert.Ignore("this system has no privileged ports (net.ipv4.ip_unprivileged_port_start)");
        }

        // Root loses the right with the bounding set; anybody else does not have it.
        string[] wrapper = Environment.IsPrivilegedProcess ? ["setpriv", "--bounding-set", "-net_bind_service"] : [];
        if (wrapper.Length > 0 && !File.Exists("/usr/bin/setpriv"))
        {
            Assert.Ignore("setpriv (util-linux) is not installed, and the tests run as root");
        }

        string path = DaemonProcess.ConfigFileWith(OneBackend.Config(new(IPAddress.Loopback, 9), bind: "127.0.0.1:1"));
        await using DaemonProcess daemon = DaemonProcess.Start(new Dictionary<string, string>(), wrapper, "run", "--config", path);
        Assert.That(await daemon.ExitAsync(), Is.EqualTo(1));
        Assert.That(daemon.Errors, Has.Count.EqualTo(1));
        Assert.That(daemon.Errors[0], Does.Contain("127.0.0.1:1").And.Contain("CAP_NET_BIND_SERVICE"));
    }

    [Test]
    [Platform("Linux")]
    public async Task Too_few_descriptors_are_one_line_with_the_mend()
    {
        int limit = DaemonProcess.OwnDescriptors - 4;
        await using DaemonProcess daemon = OneBackend.StartLimited($"ulimit -n {limit}");
        Assert.That(await daemon.ExitAsync(), Is.EqualTo(1));
        Assert.That(daemon.Errors, Has.Count.EqualTo(1));
        Assert.That(daemon.Errors[0], Does.Contain($"descriptor limit of {limit}").And.Contain("LimitNOFILE"));
    }

    [Test]
    public async Task A_bad_configuration_ends_run_with_its_mistakes()
    {
        await using DaemonProcess daemon = DaemonProcess.Run("[balancer]\nworker = 2\n[[pools]]\n");
        Assert.That(await daemon.ExitAsync(), Is.EqualTo(2));
        Assert.That(daemon.Errors, Has.All.Match(@"\.toml:\d+:\d+: error: "));
        Assert.That(daemon.Errors, Has.Count.GreaterThan(1));
    }

    [Test]
    public async Task A_source_address_that_the_host_does_not_have_is_told()
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(
            OneBackend.Config(backend.Endpoint).Replace("[pools.health]", "source_ips = [\"127.0.0.1\", \"192.0.2.77\"]\n  [pools.health]", StringComparison.Ordinal));
        await daemon.ReadyAsync();
        Assert.That(daemon.Output.Where(l => l.Contains("source_ips", StringComparison.Ordinal)), Has.Exactly(1).Contains("192.0.2.77"));
    }
}
