using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
using System.Text.Json;
using L4Balancer.CommandLine;
using L4Balancer.Tests.Admin;

namespace L4Balancer.Tests.Hosting;

/// <summary>What operators set at run time over the end of a daemon, whatever kind of end it is.</summary>
[Platform("Linux")]
[SupportedOSPlatform("linux")]
[Category(DaemonProcess.Category)]
[CancelAfter(120_000)]
[Parallelizable(ParallelScope.Self)]
internal sealed class StateFileTests
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private SocketFolder _folder = null!;

    private string ConfigPath => _folder.PathOf("balancer.toml");

    private string StatePath => Path.Combine(_folder.PathOf("state"), "state.json");

    [SetUp]
    public void Make_a_folder()
    {
        _folder = new SocketFolder();
        Directory.CreateDirectory(_folder.PathOf("state"));
        File.WriteAllText(ConfigPath, Config());
    }

    [TearDown]
    public void Remove_it() => _folder.Dispose();

    [Test]
    public async Task Drain_maintenance_and_weight_outlive_a_kill()
    {
        await using (DaemonProcess daemon = await StartAsync())
        {
            await SetAsync("drain", "chat/ws1");
            await SetAsync("maint", "chat/ws2");
            await SetAsync("weight", "chat/ws3", "50");
            daemon.Signal(DaemonProcess.SIGKILL);
            await daemon.ExitAsync();
        }

        Assert.That(File.GetUnixFileMode(StatePath), Is.EqualTo(OwnerOnly));
        Assert.That(Directory.GetFiles(_folder.PathOf("state")), Is.EqualTo(new[] { StatePath }), "no temporary file is left");
        await using (DaemonProcess daemon = await StartAsync())
        {
            Assert.That(daemon.Output, Has.Exactly(1).Contains($"state restored from {StatePath}: drain, maintenance or weight of 3 backends"));
            Assert.That(await BackendsAsync(), Is.EqualTo(new[] { "draining 100", "maintenance 100", "up 50" }));
            await SetAsync("ready", "chat/ws1");
            await SetAsync("weight", "chat/ws3", "100");
            daemon.Signal(DaemonProcess.SIGTERM);
            Assert.That(await daemon.ExitAsync(), Is.Zero);
        }

        await using (DaemonProcess daemon = await StartAsync())
        {
            Assert.That(await BackendsAsync(), Is.EqualTo(new[] { "up 100", "maintenance 100", "up 100" }));
        }
    }

    [Test]
    public async Task A_weight_that_the_file_has_changed_meanwhile_is_the_file_s_and_a_backend_that_has_left_is_forgotten()
    {
        await using (DaemonProcess daemon = await StartAsync())
        {
            await SetAsync("weight", "chat/ws1", "50");
            await SetAsync("drain", "chat/ws1");
            await SetAsync("drain", "chat/ws3");
            daemon.Signal(DaemonProcess.SIGKILL);
            await daemon.ExitAsync();
        }

        await File.WriteAllTextAsync(ConfigPath, Config(backends: 2, weight: 70));
        await using (DaemonProcess daemon = await StartAsync())
        {
            Assert.That(await BackendsAsync(), Is.EqualTo(new[] { "draining 70", "up 100" }));
            await UntilAsync(() => !File.ReadAllText(StatePath).Contains("ws3", StringComparison.Ordinal));

            // A reload follows the same rule, and is saved too.
            await SetAsync("weight", "chat/ws1", "20");
            await File.WriteAllTextAsync(ConfigPath, Config(backends: 2, weight: 80));
            await SetAsync("reload");
            Assert.That(await BackendsAsync(), Is.EqualTo(new[] { "draining 80", "up 100" }));
            await UntilAsync(() => !File.ReadAllText(StatePath).Contains("\"weight\": 20", StringComparison.Ordinal));
        }
    }

    [TestCase("{ \"version\": 1, \"backends\": [ { \"pool\": \"chat\"")]
    [TestCase("{ \"version\": 2, \"backends\": [] }")]
    [TestCase("{ \"version\": 1, \"backends\": null }")]
    [TestCase("{ \"version\": 1, \"backends\": [ null ] }")]
    [TestCase("{ \"version\": 1, \"backends\": [ { \"pool\": \"chat\", \"backend\": \"ws1\", \"mode\": 7, \"weight\": null, \"file_weight\": null } ] }")]
    [TestCase("\0\0\0\0")]
    [TestCase("")]
    public async Task A_corrupt_file_is_set_aside_and_the_start_goes_on(string content)
    {
        await File.WriteAllTextAsync(StatePath, content);
        await using DaemonProcess daemon = await StartAsync();
        Assert.That(daemon.Output, Has.Exactly(1).Contains($"state file {StatePath} cannot be used (").And.Exactly(1).Contains($"it was renamed to {StatePath}.bad"));
        Assert.That(await File.ReadAllTextAsync(StatePath + ".bad"), Is.EqualTo(content));
        Assert.That(await BackendsAsync(), Is.EqualTo(new[] { "up 100", "up 100", "up 100" }));
        await SetAsync("drain", "chat/ws2");
        Assert.That(await File.ReadAllTextAsync(StatePath), Does.Contain("\"draining\""));
    }

    [Test]
    public async Task A_pipe_in_its_place_is_set_aside()
    {
        using (Process fifo = Process.Start("mkfifo", StatePath))
        {
            await fifo.WaitForExitAsync();
        }

        await using DaemonProcess daemon = await StartAsync();
        Assert.That(daemon.Output, Has.Exactly(1).Contains("it is a pipe, a socket or a device"));
        Assert.That(File.Exists(StatePath + ".bad"));
        await SetAsync("drain", "chat/ws2");
        Assert.That(await File.ReadAllTextAsync(StatePath), Does.Contain("\"draining\""));
    }

    [Test]
    public async Task In_the_state_directory_of_the_service_where_no_path_is_named()
    {
        await File.WriteAllTextAsync(ConfigPath, Config(stateFile: ""));
        var environment = new Dictionary<string, string> { ["STATE_DIRECTORY"] = _folder.PathOf("state") + ":/nonexistent" };
        await using (DaemonProcess daemon = await StartAsync(environment))
        {
            await SetAsync("drain", "chat/ws2");
            daemon.Signal(DaemonProcess.SIGKILL);
            await daemon.ExitAsync();
        }

        await using (DaemonProcess daemon = await StartAsync(environment))
        {
            Assert.That(await BackendsAsync(), Is.EqualTo(new[] { "up 100", "draining 100", "up 100" }));

            // A crash would leave it to the next one in the ledger.
            daemon.Signal(DaemonProcess.SIGTERM);
            await daemon.ExitAsync();
        }

        await using (DaemonProcess daemon = await StartAsync())
        {
            Assert.That(await BackendsAsync(), Is.EqualTo(new[] { "up 100", "up 100", "up 100" }), "without one nothing is kept");
            await SetAsync("drain", "chat/ws1");
            Assert.That(daemon.Output, Has.None.Contains("state"));
        }
    }

    [Test]
    public async Task A_directory_that_cannot_be_written_costs_a_warning()
    {
        string[] wrapper = MountedAt("-t tmpfs -o ro");
        await using DaemonProcess daemon = await StartAsync(wrapper: wrapper);
        await SetAsync("drain", "chat/ws1");
        await SetAsync("drain", "chat/ws2");
        await daemon.LineWithAsync($"state file {StatePath} could not be written (");
        Assert.That(daemon.Output, Has.Exactly(1).Contains("could not be written"));
        Assert.That(await BackendsAsync(), Is.EqualTo(new[] { "draining 100", "draining 100", "up 100" }));
    }

    [Test]
    public async Task A_full_disk_keeps_what_was_saved_and_the_next_change_is_saved_when_there_is_room()
    {
        await using DaemonProcess daemon = await StartAsync(wrapper: MountedAt("-t tmpfs -o size=64k"));
        await SetAsync("drain", "chat/ws1");
        string inside = $"/proc/{daemon.Id.ToString(CultureInfo.InvariantCulture)}/root{StatePath}";
        string saved = await File.ReadAllTextAsync(inside);
        Assert.That(saved, Does.Contain("ws1"));
        Fill(inside + ".filler");

        await SetAsync("drain", "chat/ws2");
        await daemon.LineWithAsync($"state file {StatePath} could not be written (");
        Assert.That(await File.ReadAllTextAsync(inside), Is.EqualTo(saved));
        Assert.That(File.Exists(inside + ".tmp"), Is.False);

        File.Delete(inside + ".filler");
        await SetAsync("weight", "chat/ws3", "50");
        Assert.That(await File.ReadAllTextAsync(inside), Does.Contain("ws1").And.Contain("ws2").And.Contain("ws3"));
    }

    [Test]
    public async Task What_could_not_be_written_is_tried_a_last_time_when_the_daemon_stops()
    {
        string directory = _folder.PathOf("state");
        Directory.Move(directory, directory + ".away");
        await using DaemonProcess daemon = await StartAsync();
        await SetAsync("drain", "chat/ws1");
        await daemon.LineWithAsync($"state file {StatePath} could not be written (");
        Directory.Move(directory + ".away", directory);
        daemon.Signal(DaemonProcess.SIGTERM);
        Assert.That(await daemon.ExitAsync(), Is.Zero);

        Assert.That(await File.ReadAllTextAsync(StatePath), Does.Contain("ws1"));
    }

    private static void Fill(string path)
    {
        using FileStream filler = File.Create(path, 1);
        Assert.That(
            () =>
            {
                for (int i = 0; i < 1024; i++)
                {
                    filler.Write(new byte[1024]);
                    filler.Flush();
                }
            },
            Throws.InstanceOf<IOException>());
    }

    // A file system of the test's own over the folder of the state, for this daemon only.
    private string[] MountedAt(string options)
    {
        string[] wrapper =
        [
            "unshare", Environment.IsPrivilegedProcess ? "-m" : "-rm", "sh", "-c",
            $"mount {options} none {_folder.PathOf("state")} && exec \"$@\"", "sh",
        ];
        using Process tried = Process.Start(new ProcessStartInfo(wrapper[0], [.. wrapper[1..], "true"]) { RedirectStandardError = true })!;
        tried.WaitForExit();
        if (tried.ExitCode != 0)
        {
            Assert.Ignore($"No mount namespace can be made here: {tried.StandardError.ReadToEnd().Trim()}");
        }

        return wrapper;
    }

    private async Task<DaemonProcess> StartAsync(Dictionary<string, string>? environment = null, string[]? wrapper = null)
    {
        DaemonProcess daemon = DaemonProcess.Start(environment ?? [], wrapper ?? [], "run", "--config", ConfigPath);
        await daemon.ReadyAsync();
        return daemon;
    }

    private async Task SetAsync(params string[] command)
    {
        using var output = new StringWriter();
        using var errors = new StringWriter();
        Assert.That(await CommandLineRoot.InvokeAsync([.. command, "--admin", _folder.SocketPath, .. DaemonProcess.Patiently], output, errors), Is.Zero, errors.ToString());
    }

    private async Task<string[]> BackendsAsync()
    {
        JsonElement answer = await _folder.GetAsync("/v1/backends");
        return [.. answer.GetProperty("backends").EnumerateArray().Select(b => $"{b.GetProperty("state").GetString()} {b.GetProperty("weight").GetInt32()}")];
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        var waited = Stopwatch.StartNew();
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!condition())
        {
            Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline));
            await looks.WaitForNextTickAsync();
        }
    }

    private string Config(int backends = 3, int weight = 100, string? stateFile = null) => $$"""
        [balancer]
        state_file = "{{stateFile ?? StatePath}}"
        shutdown_grace = "0s"
        [admin]
        socket = "{{_folder.SocketPath}}"
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
        health = { type = "none" }
        {{string.Join('\n', Enumerable.Range(1, backends).Select(i => string.Create(CultureInfo.InvariantCulture, $"""
        [[pools.backends]]
        name = "ws{i}"
        address = "127.0.0.{i}:9"
        weight = {(i == 1 ? weight : 100)}
        """)))}}
        """;
}
