using L4Balancer.Tests.Systemd;

namespace L4Balancer.Tests.Hosting;

/// <summary>What a daemon takes from its surroundings (environment, limits, service manager), what it gives them, and what it ignores.</summary>
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class SurroundingsTests
{
    [Test]
    public async Task The_environment_names_the_file()
    {
        await using DaemonProcess daemon = DaemonProcess.Start(
            new Dictionary<string, string> { ["L4BALANCER_CONFIG"] = "/nonexistent/from-environment.toml" }, [], "run");
        Assert.That(await daemon.ExitAsync(), Is.EqualTo(2));
        Assert.That(daemon.Errors, Has.Count.EqualTo(1));
        Assert.That(daemon.Errors[0], Does.StartWith("/nonexistent/from-environment.toml: no such file"));
    }

    [Test]
    [Platform("Linux")]
    public async Task A_SIGINT_that_the_shell_ignores_stays_ignored()
    {
        await using var backend = new EchoPeer();
        string path = DaemonProcess.ConfigFileWith(OneBackend.Config(backend.Endpoint));
        await using DaemonProcess daemon = DaemonProcess.Start(
            new Dictionary<string, string>(), ["/usr/bin/env", "--ignore-signal=INT"], "run", "--config", path);
        await daemon.ReadyAsync();
        daemon.Signal(DaemonProcess.SIGINT);
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await daemon.ExitAsync(), Is.Zero);
        Assert.That(daemon.Output, Has.None.Contain("SIGINT"));
        Assert.That(daemon.Output, Has.Some.Contain("SIGTERM"));
    }

    [Test]
    public async Task Settings_of_the_frameworks_change_nothing()
    {
        await using var backend = new EchoPeer();
        var environment = new Dictionary<string, string>
        {
            ["OTEL_SDK_DISABLED"] = "true",
            ["OTEL_METRICS_EXEMPLAR_FILTER"] = "always_on",
            ["ASPNETCORE_URLS"] = "http://127.0.0.1:1",
            ["ASPNETCORE_ENVIRONMENT"] = "Development",
            ["DOTNET_URLS"] = "http://127.0.0.1:1",
            ["Logging__LogLevel__Default"] = "None",
        };
        await using DaemonProcess daemon = DaemonProcess.Start(
            environment, [], "run", "--config", DaemonProcess.ConfigFileWith(OneBackend.Config(backend.Endpoint)));
        await daemon.ReadyAsync();
        Assert.That(await OneBackend.ScrapeAsync(daemon), Does.Contain("l4balancer_config_generation{} 1\n"));
    }

    [Test]
    [Platform("Linux")]
    public async Task The_descriptor_limit_is_raised_and_what_it_allows_is_logged()
    {
        await using DaemonProcess daemon = OneBackend.StartLimited("ulimit -Sn 1000 && ulimit -Hn 2000");
        string line = await daemon.LineWithAsync("descriptor limit ");
        int workers = Environment.ProcessorCount;
        int reserve = DaemonProcess.OwnDescriptors + 2 + (workers * (2 + (2 * (2000 / 32 / workers))));
        Assert.That(
            line, Does.Contain($"up to {(2000 - reserve) / 2} connections (descriptor limit 2000, two per connection, {reserve} reserved)"));
    }

    [Test]
    [Platform("Linux")]
    public async Task Every_thread_but_the_event_loops_is_nicer()
    {
        await using var backend = new EchoPeer();
        await using DaemonProcess daemon = DaemonProcess.Run(OneBackend.Config(backend.Endpoint, balancer: "workers = 2"));
        await daemon.ReadyAsync();

        (string Name, int Nice)[] threads =
            [.. Directory.GetDirectories($"/proc/{daemon.Id}/task").Select(static t => File.ReadAllText(Path.Combine(t, "stat"))).Select(NiceOf)];

        // What the tests run with is inherited.
        int own = NiceOf(await File.ReadAllTextAsync("/proc/self/stat")).Nice;
        Assert.That(threads.Where(t => t.Name.StartsWith("worker ", StringComparison.Ordinal)).Select(t => t.Nice), Is.EqualTo(new[] { own, own }));
        Assert.That(threads.Count(t => t.Nice == 10), Is.GreaterThan(threads.Length / 2));
    }

    // /proc/PID/task/TID/stat, proc(5): the name in parentheses, then the state as field 3; nice is field 19.
    private static (string Name, int Nice) NiceOf(string stat) => (
        stat[(stat.IndexOf('(', StringComparison.Ordinal) + 1)..stat.LastIndexOf(')')],
        int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[16], System.Globalization.CultureInfo.InvariantCulture));

    [Test]
    [Platform("Linux")]
    public async Task Systemd_is_told_of_the_start_and_the_end()
    {
        using var manager = new NotifySocket();
        await using var backend = new EchoPeer();
        var environment = new Dictionary<string, string> { ["NOTIFY_SOCKET"] = manager.Address };
        await using DaemonProcess daemon = DaemonProcess.Start(
            environment, [], "run", "--config", DaemonProcess.ConfigFileWith(OneBackend.Config(backend.Endpoint)));
        Assert.That(manager.Next(), Does.StartWith("READY=1\nSTATUS=").And.Contain("1 of 1 backends up"));
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(manager.Next(), Does.StartWith("STOPPING=1\n"));
        Assert.That(await daemon.ExitAsync(), Is.Zero);
    }

    [TestCase("JOURNAL_STREAM=$(stat -L -c %d:%i /proc/$$/fd/1)", @"^<\d>")]
    [TestCase("JOURNAL_STREAM=8:1", @"^\d{4}-\d\d-\d\dT")]
    [Platform("Linux")]
    public async Task The_journal_gets_priorities_and_a_pipe_under_a_service_does_not(string setVariable, string line)
    {
        await using var backend = new EchoPeer();
        string script = $"{setVariable}; export JOURNAL_STREAM; exec \"$@\"";
        await using DaemonProcess daemon = DaemonProcess.Start(
            new Dictionary<string, string> { ["INVOCATION_ID"] = "0123456789abcdef" }, ["/bin/sh", "-c", script, "sh"],
            "run", "--config", DaemonProcess.ConfigFileWith(OneBackend.Config(backend.Endpoint)));
        await daemon.ReadyAsync();
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await daemon.ExitAsync(), Is.Zero);
        Assert.That(daemon.Output, Has.All.Match(line));
    }
}
