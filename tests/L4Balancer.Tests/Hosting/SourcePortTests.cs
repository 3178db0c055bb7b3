using System.Diagnostics;
using System.Text.Json;
using L4Balancer.Tests.Admin;

namespace L4Balancer.Tests.Hosting;

/// <summary>What an operator sees of local ports that become few: a daemon in a network namespace that gives sixteen.</summary>
[Platform("Linux")]
[Category(DaemonProcess.Category)]
internal sealed class SourcePortTests
{
    private const string SetUp = "ip link set lo up && echo '40000 40019' > /proc/sys/net/ipv4/ip_local_port_range "
        + "&& echo '40010-40013' > /proc/sys/net/ipv4/ip_local_reserved_ports";

    // The backend is the daemon's own metrics listener: it takes a connection and waits for a request.
    private const string Config = """
        [admin]
        socket = "SOCKET"
        [metrics]
        listen = "127.0.0.1:9464"
        [[listeners]]
        name = "in"
        bind = ["127.0.0.1:6001", "127.0.0.1:6002"]
        pool = "p"
        [[pools]]
        name = "p"
        source_ips = ["127.0.0.2", "127.0.0.3"]
        [pools.health]
        type = "none"
        [[pools.backends]]
        name = "b"
        address = "127.0.0.1:9464"
        """;

    // Its clients live in the namespace too. The same sixteen ports serve them, towards each of two other destinations.
    private const string Clients = """
        for i in $(seq 12); do for a in 1 2; do exec {fd}<>/dev/tcp/127.0.0.1/600$a || exit 1; done; done; echo open; read _
        """;

    [Test]
    public async Task Ports_in_use_are_shown_and_warned_of()
    {
        string[] unshare = ["unshare", Environment.IsPrivilegedProcess ? "-n" : "-rn", "sh", "-c"];
        if (!await WorksAsync([.. unshare, SetUp]))
        {
            Assert.Ignore("No network namespace with a port range of its own can be made here.");
        }

        DirectoryInfo folder = Directory.CreateTempSubdirectory("l4b-");
        string socket = Path.Combine(folder.FullName, "admin.sock");
        string path = DaemonProcess.ConfigFileWith(Config.Replace("SOCKET", socket, StringComparison.Ordinal));
        await using DaemonProcess daemon = DaemonProcess.Start(
            new Dictionary<string, string>(), [.. unshare, $"{SetUp} && exec \"$@\"", "sh"], "run", "--config", path);
        await daemon.ReadyAsync();
        var enter = new ProcessStartInfo("nsenter", [.. EnterFlags(daemon.Id), "bash", "-c", Clients])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        using Process clients = Process.Start(enter)!;
        Assert.That(await clients.StandardOutput.ReadLineAsync().WaitAsync(DaemonProcess.Deadline), Is.EqualTo("open"));

        foreach (string source in new[] { "127.0.0.2", "127.0.0.3" })
        {
            await daemon.LineWithAsync($"source address {source}: 12 of 16 local ports to 127.0.0.1:9464 are in use");
        }

        using HttpClient admin = AdminScene.OverSocket(socket);
        string metrics = await admin.GetStringAsync("/metrics");
        Assert.That(metrics, Does.Contain("l4balancer_source_ports_in_use{source_ip=\"127.0.0.2\"} 12\n")
            .And.Contain("l4balancer_source_ports_limit{source_ip=\"127.0.0.3\"} 16\n"));
        using JsonDocument status = JsonDocument.Parse(await admin.GetStringAsync("/v1/status"));
        Assert.That(status.RootElement.GetProperty("source_ports").EnumerateArray().Select(s => s.GetRawText()).First(), Is.EqualTo(
            """{"source_ip":"127.0.0.2","destination":"127.0.0.1:9464","in_use":12,"limit":16}"""));

        await clients.StandardInput.WriteLineAsync();
        await clients.WaitForExitAsync().WaitAsync(DaemonProcess.Deadline);
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await daemon.ExitAsync(), Is.Zero);
    }

    [TestCase("check --host", "0", true)]
    [TestCase("check --host", "1", false)]
    [TestCase("run", "2", true)]
    public async Task Ports_that_rest_are_warned_of_where_backends_are_elsewhere(string command, string reuse, bool warned)
    {
        string setUp = $"ip link set lo up && echo {reuse} > /proc/sys/net/ipv4/tcp_tw_reuse";
        string[] unshare = ["unshare", Environment.IsPrivilegedProcess ? "-n" : "-rn", "sh", "-c"];
        if (!await WorksAsync([.. unshare, setUp]))
        {
            Assert.Ignore("No network namespace can be made here.");
        }

        string path = DaemonProcess.ConfigFileWith(Config.Replace("SOCKET", "", StringComparison.Ordinal)
            .Replace("address = \"127.0.0.1", "address = \"192.0.2.1", StringComparison.Ordinal));
        await using DaemonProcess daemon = DaemonProcess.Start(
            new Dictionary<string, string>(), [.. unshare, $"{setUp} && exec \"$@\"", "sh"],
            [.. command.Split(' '), "--config", path]);
        if (command == "run")
        {
            await daemon.ReadyAsync();
            Assert.That(daemon.Output, Has.Some.Contains($"net.ipv4.tcp_tw_reuse is {reuse} and backends are not on loopback (p/b)"));
            daemon.Signal(DaemonProcess.SIGTERM);
        }

        Assert.That(await daemon.ExitAsync(), Is.Zero);
        string expected = $"{path}: warning: net.ipv4.tcp_tw_reuse is {reuse} and backends are not on loopback (p/b): ";
        Assert.That(daemon.Errors.Any(e => e.StartsWith(expected, StringComparison.Ordinal)), Is.EqualTo(warned && command != "run"));
    }

    private static string[] EnterFlags(int process) =>
        Environment.IsPrivilegedProcess ? ["-t", $"{process}", "-n"] : ["-t", $"{process}", "-U", "--preserve-credentials", "-n"];

    private static async Task<bool> WorksAsync(string[] command)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true })!;
            await process.WaitForExitAsync().WaitAsync(DaemonProcess.Deadline);
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
