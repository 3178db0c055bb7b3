using System.Diagnostics;
using System.Net;
using L4Balancer.Configuration;
using L4Balancer.Hosting;
using L4Balancer.Tests.Admin;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Hosting;

/// <summary><c>watch</c>: the file is read again when it changes on disk.</summary>
[Category(DaemonProcess.Category)]
[CancelAfter(120_000)]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
[Parallelizable(ParallelScope.All)]
internal sealed class FileWatchTests : IDisposable
{
    private SocketFolder _folder = null!;

    private string ConfigPath => _folder.PathOf("balancer.toml");

    [SetUp]
    public void Make_a_folder() => _folder = new SocketFolder();

    public void Dispose() => _folder.Dispose();

    [Test]
    public async Task A_file_that_is_replaced_or_written_in_place_comes_into_force()
    {
        await File.WriteAllTextAsync(ConfigPath, Config(true, attempts: 3));
        await using DaemonProcess daemon = await StartAsync();

        await ReplaceAsync(Config(true, attempts: 4));
        await daemon.LineWithAsync("connect_attempts: 3 -> 4");
        await daemon.LineWithAsync("watch: configuration reloaded, 1 changes, generation 2");
        await File.WriteAllTextAsync(ConfigPath, Config(true, attempts: 5));
        await daemon.LineWithAsync("connect_attempts: 4 -> 5");
    }

    [Test]
    public async Task A_bad_file_is_reported_once_and_changes_nothing()
    {
        await File.WriteAllTextAsync(ConfigPath, Config(true, attempts: 3));
        await using DaemonProcess daemon = await StartAsync();

        await ReplaceAsync(Config(true, attempts: 99));
        await daemon.LineWithAsync("watch: configuration reload failed with 1 errors; generation 1 remains active");

        // The next file comes into force two looks later at the earliest.
        await ReplaceAsync(Config(true, attempts: 4));
        await daemon.LineWithAsync("connect_attempts: 3 -> 4");
        Assert.That(daemon.Output, Has.Exactly(1).Contains("configuration reload failed"));
    }

    [Test]
    public async Task A_file_that_disappears_changes_nothing_and_is_read_when_it_is_back()
    {
        await File.WriteAllTextAsync(ConfigPath, Config(true, attempts: 3));
        await using DaemonProcess daemon = await StartAsync();

        File.Delete(ConfigPath);
        await daemon.LineWithAsync($"watch: {ConfigPath} is gone");
        await File.WriteAllTextAsync(ConfigPath, Config(true, attempts: 4));
        await daemon.LineWithAsync("connect_attempts: 3 -> 4");
        Assert.That(daemon.Output, Has.None.Contains("reload failed"));
    }

    [Test]
    [Platform("Linux")]
    public async Task The_link_of_a_Kubernetes_volume_is_followed()
    {
        // As kubelet writes a ConfigMap: the file is a link into ..data, which is a link to a folder, and is exchanged by a rename.
        Publish("..2026_01", Config(true, attempts: 3));
        File.CreateSymbolicLink(ConfigPath, Path.Combine("..data", "balancer.toml"));
        await using DaemonProcess daemon = await StartAsync();

        Publish("..2026_02", Config(true, attempts: 4));
        await daemon.LineWithAsync("connect_attempts: 3 -> 4");
        Publish("..2026_03", Config(true, attempts: 5));
        await daemon.LineWithAsync("connect_attempts: 4 -> 5");
    }

    [Test]
    public async Task Files_that_are_included_count_as_well_with_one_that_comes_or_goes()
    {
        Directory.CreateDirectory(_folder.PathOf("conf.d"));
        await File.WriteAllTextAsync(ConfigPath, $"include = [\"conf.d/*.toml\"]\n{Config(true, attempts: 3)}");
        await File.WriteAllTextAsync(_folder.PathOf("conf.d/a.toml"), Spare("a", weight: 1));
        await using DaemonProcess daemon = await StartAsync();

        await File.WriteAllTextAsync(_folder.PathOf("conf.d/a.toml"), Spare("a", weight: 2));
        await daemon.LineWithAsync("weight: 1 -> 2");
        await File.WriteAllTextAsync(_folder.PathOf("conf.d/b.toml"), Spare("b", weight: 3));
        await daemon.LineWithAsync("pools.b added");
        File.Delete(_folder.PathOf("conf.d/b.toml"));
        await daemon.LineWithAsync("pools.b removed");

        static string Spare(string name, int weight) =>
            $$"""
            [[pools]]
            name = "{{name}}"
            health.type = "none"
            backends = [{ name = "x", address = "127.0.0.1:9", weight = {{weight}} }]
            """;
    }

    [Test]
    public async Task It_is_switched_on_and_off_by_a_reload()
    {
        await File.WriteAllTextAsync(ConfigPath, Config(false, attempts: 3));
        await using DaemonProcess daemon = await StartAsync();
        await ReplaceAsync(Config(true, attempts: 4));
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync("SIGHUP: configuration reloaded, 2 changes");
        await ReplaceAsync(Config(false, attempts: 5));
        await daemon.LineWithAsync("watch: configuration reloaded, 2 changes");
        await ReplaceAsync(Config(false, attempts: 6));

        // Only time shows that nothing happens: a watch that is on reads a file within two looks.
        await Task.Delay(3 * FileWatch.BetweenLooks);
        Assert.That(daemon.Output, Has.None.Contains("5 -> 6"));
    }

    [Test]
    public async Task A_watch_that_is_off_reads_nothing_until_it_is_on()
    {
        await File.WriteAllTextAsync(ConfigPath, "1");
        var clock = new FakeTimeProvider();
        object? read = ConfigFile.StampOf(ConfigPath);
        int reloads = 0;
        await using var watch = new FileWatch(
            ConfigPath,
            () => read,
            _ =>
            {
                read = ConfigFile.StampOf(ConfigPath);
                reloads++;
                return Task.CompletedTask;
            },
            clock,
            NullLogger<FileWatch>.Instance);
        await File.WriteAllTextAsync(ConfigPath, "another");
        Look(clock, 10);
        Assert.That(reloads, Is.Zero, "it was never on");
        watch.Set(true);
        Look(clock, 10);
        Assert.That(reloads, Is.EqualTo(1));
        watch.Set(false);
        await File.WriteAllTextAsync(ConfigPath, "something else");
        Look(clock, 10);
        Assert.That(reloads, Is.EqualTo(1), "it is off again");
    }

    [Test]
    public async Task A_file_that_still_changes_is_left_until_it_rests()
    {
        await File.WriteAllTextAsync(ConfigPath, "1");
        var clock = new FakeTimeProvider();
        object? read = ConfigFile.StampOf(ConfigPath);
        int reloads = 0;
        await using var watch = new FileWatch(
            ConfigPath,
            () => read,
            _ =>
            {
                read = ConfigFile.StampOf(ConfigPath);
                reloads++;
                return Task.CompletedTask;
            },
            clock,
            NullLogger<FileWatch>.Instance);
        watch.Set(true);
        for (int i = 0; i < 10; i++)
        {
            await File.WriteAllTextAsync(ConfigPath, new string('x', 10 + i));
            clock.Advance(FileWatch.BetweenLooks);
        }

        Assert.That(reloads, Is.Zero);
        clock.Advance(FileWatch.BetweenLooks);
        Assert.That(reloads, Is.EqualTo(1));
        for (int i = 0; i < 10; i++)
        {
            clock.Advance(FileWatch.BetweenLooks);
        }

        Assert.That(reloads, Is.EqualTo(1), "what was read already is not read again");
    }

    [Test]
    public async Task A_change_during_an_upgrade_is_seen_after_it()
    {
        await File.WriteAllTextAsync(ConfigPath, "1");
        var clock = new FakeTimeProvider();
        bool isHeld = true;
        int reloads = 0;
        await using var watch = new FileWatch(
            ConfigPath,
            () => null,
            _ =>
            {
                reloads++;
                return Task.CompletedTask;
            },
            clock,
            NullLogger<FileWatch>.Instance)
        { IsHeld = () => isHeld };
        watch.Set(true);
        for (int i = 0; i < 5; i++)
        {
            clock.Advance(FileWatch.BetweenLooks);
        }

        Assert.That(reloads, Is.Zero);
        isHeld = false;
        clock.Advance(FileWatch.BetweenLooks);
        clock.Advance(FileWatch.BetweenLooks);
        Assert.That(reloads, Is.EqualTo(1));
    }

    [Test]
    public async Task A_file_that_could_not_be_read_in_time_is_tried_again_later()
    {
        await File.WriteAllTextAsync(ConfigPath, "1");
        var clock = new FakeTimeProvider();
        object? read = null;
        int reloads = 0;
        await using var watch = new FileWatch(
            ConfigPath,
            () => read,
            _ =>
            {
                // The first read takes too long: what was read is not known.
                reloads++;
                read = reloads == 1 ? null : ConfigFile.StampOf(ConfigPath);
                return Task.CompletedTask;
            },
            clock,
            NullLogger<FileWatch>.Instance);
        watch.Set(true);
        for (int i = 0; i < 30; i++)
        {
            clock.Advance(FileWatch.BetweenLooks);
        }

        Assert.That(reloads, Is.EqualTo(1), "not at once");
        for (TimeSpan passed = TimeSpan.Zero; passed < 3 * FileWatch.BetweenTries; passed += FileWatch.BetweenLooks)
        {
            clock.Advance(FileWatch.BetweenLooks);
        }

        Assert.That(reloads, Is.EqualTo(2), "once more, until it is read");
    }

    private static void Look(FakeTimeProvider clock, int times)
    {
        for (int i = 0; i < times; i++)
        {
            clock.Advance(FileWatch.BetweenLooks);
        }
    }

    private async Task<DaemonProcess> StartAsync()
    {
        DaemonProcess daemon = DaemonProcess.Start("run", "--config", ConfigPath);
        await daemon.ReadyAsync();
        return daemon;
    }

    private async Task ReplaceAsync(string text)
    {
        string next = _folder.PathOf("next.toml");
        await File.WriteAllTextAsync(next, text);
        File.Move(next, ConfigPath, overwrite: true);
    }

    private void Publish(string folder, string text)
    {
        Directory.CreateDirectory(_folder.PathOf(folder));
        File.WriteAllText(Path.Combine(_folder.PathOf(folder), "balancer.toml"), text);
        string link = _folder.PathOf("..data_tmp");
        File.CreateSymbolicLink(link, folder);
        using Process rename = Process.Start("mv", ["-T", link, _folder.PathOf("..data")]);
        rename.WaitForExit();
        Assert.That(rename.ExitCode, Is.Zero);
    }

    private static string Config(bool watch, int attempts) => $"""
        [balancer]
        watch = {(watch ? "true" : "false")}
        [admin]
        socket = ""
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
        connect_attempts = {attempts}
        health.type = "none"
        [[pools.backends]]
        name = "ws1"
        address = "{new IPEndPoint(IPAddress.Loopback, 9)}"
        """;
}
