using System.Diagnostics;

namespace L4Balancer.Tests.Packaging;

/// <summary>The systemd unit, as systemd itself judges it.</summary>
[Platform("Linux")]
internal sealed class UnitFileTests
{
    private static string Unit => File.ReadAllText(Repository.PathOf("packaging", "systemd", "l4balancer.service"));

    private static string SocketUnit => File.ReadAllText(Repository.PathOf("packaging", "systemd", "l4balancer.socket"));

    [Test]
    public async Task Systemd_finds_no_fault_with_the_unit() => Assert.That(await VerifyAsync(Unit), Is.Empty);

    [Test]
    public async Task Systemd_finds_no_fault_with_the_rights_for_packet_listeners() => Assert.That(
        await VerifyAsync(Unit + File.ReadAllText(Repository.PathOf("packaging", "systemd", "packet-mode.conf"))), Is.Empty);

    [Test]
    public async Task Systemd_would_find_one() =>
        Assert.That(await VerifyAsync(Unit.Replace("LimitNOFILE=", "LimitNOFILES=")), Does.Contain("LimitNOFILES"));

    [Test]
    public async Task Systemd_finds_no_fault_with_the_socket() => Assert.That(await VerifyAsync(Unit, SocketUnit), Is.Empty);

    [Test]
    public async Task Systemd_would_find_one_there_too() =>
        Assert.That(await VerifyAsync(Unit, SocketUnit.Replace("Backlog=", "BackLogs=")), Does.Contain("BackLogs"));

    [Test]
    public void The_unit_leaves_the_daemon_time_for_its_grace()
    {
        string line = Unit.Split('\n').Single(l => l.StartsWith("TimeoutStopSec=", StringComparison.Ordinal));
        double seconds = double.Parse(line["TimeoutStopSec=".Length..].TrimEnd('s'), null);
        Core.Config.BalancerSettings defaults = new();
        Assert.That(seconds, Is.GreaterThan(defaults.ShutdownGrace.TotalSeconds + 10));
    }

    [Test]
    public void The_service_is_restarted_however_often_it_fails()
    {
        Assert.That(SectionOf("StartLimitIntervalSec=0"), Is.EqualTo("[Unit]"), "systemd ignores it in [Service]");
        Assert.That(SectionOf("Restart=on-failure"), Is.EqualTo("[Service]"));

        // A bad configuration ends it all the same, which only the main process can bring about.
        Assert.That(SectionOf("RestartPreventExitStatus=2"), Is.EqualTo("[Service]"));
        Assert.That(Unit, Does.Not.Contain("\nExecStartPre="));
    }

    [Test]
    public void The_keeper_outlives_the_daemon_and_its_files_a_restart()
    {
        Assert.That(SectionOf("KillMode=process"), Is.EqualTo("[Service]"));
        Assert.That(SectionOf("OOMPolicy=continue"), Is.EqualTo("[Service]"));
        Assert.That(SectionOf("RuntimeDirectoryPreserve=restart"), Is.EqualTo("[Service]"));
    }

    [Test]
    public void No_bytes_of_connections_get_into_a_core_dump_and_the_state_has_a_directory()
    {
        Assert.That(SectionOf("LimitCORE=0"), Is.EqualTo("[Service]"));
        Assert.That(SectionOf("StateDirectory=l4balancer"), Is.EqualTo("[Service]"));
    }

    private static string? SectionOf(string line) =>
        Unit.Split('\n').TakeWhile(l => l != line).LastOrDefault(l => l.StartsWith('['));

    /// <returns>What systemd-analyze had to say; empty where all is well.</returns>
    private static async Task<string> VerifyAsync(string unit, string? socket = null)
    {
        if (!File.Exists("/usr/bin/systemd-analyze"))
        {
            Assert.Ignore("systemd-analyze is not installed: make test-deps");
        }

        DirectoryInfo folder = Directory.CreateTempSubdirectory("l4balancer-test-");
        try
        {
            // It looks whether the programs are there, and this one is only after an installation.
            string path = Path.Combine(folder.FullName, "l4balancer.service");
            await File.WriteAllTextAsync(path, unit.Replace("/usr/local/bin/l4balancer", "/bin/true"));
            string[] args = ["verify", "--man=no", path];
            if (socket is not null)
            {
                string socketPath = Path.Combine(folder.FullName, "l4balancer.socket");
                await File.WriteAllTextAsync(socketPath, socket);
                args = [.. args, socketPath];
            }

            using Process process = Process.Start(new ProcessStartInfo("systemd-analyze", args)
            {
                RedirectStandardError = true,
                RedirectStandardOutput = true,
            })!;
            Task<string> output = process.StandardOutput.ReadToEndAsync();
            string errors = await process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync();
            string all = (errors + await output).Trim();
            return process.ExitCode == 0 ? all : $"exit code {process.ExitCode}: {all}";
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
