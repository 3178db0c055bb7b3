using System.Net;
using System.Text.Json;
using L4Balancer.Core.Discovery;
using L4Balancer.Tests.Admin;

namespace L4Balancer.Tests.Discovery;

/// <summary>A real daemon with a file of backends: what a broken or empty file changes, what is shown of it, and what a reload keeps.</summary>
[CancelAfter(240_000)]
[Category(DaemonProcess.Category)]
[Parallelizable(ParallelScope.Self)]
internal sealed class BeliefInDaemonTests
{
    private SocketFolder _folder = null!;
    private BackendsToml _file = null!;
    private RecordingBackend[] _backends = [];

    [SetUp]
    public void Make_backends_and_their_file()
    {
        _folder = new SocketFolder();
        _file = new BackendsToml();
        _backends = [new RecordingBackend(), new RecordingBackend(), new RecordingBackend(), new RecordingBackend()];
    }

    [TearDown]
    public async Task Remove_them()
    {
        foreach (RecordingBackend backend in _backends)
        {
            await backend.DisposeAsync();
        }

        _file.Dispose();
        _folder.Dispose();
    }

    [Test]
    public async Task A_broken_file_changes_nothing_and_an_empty_one_only_after_the_hold()
    {
        await WriteAsync(4);
        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", DaemonProcess.ConfigFileWith(Config("hold = \"3s\"\ninterval = \"1s\"")));
        await daemon.ReadyAsync();
        IPEndPoint front = await daemon.ListenerAsync("wss");
        JsonElement source = await SourceAsync();
        Assert.That((source.GetProperty("source").GetString(), source.GetProperty("backends").GetInt32()), Is.EqualTo(("file", 4)));
        Assert.That((source.GetProperty("warning").ValueKind, source.GetProperty("held").ValueKind), Is.EqualTo((JsonValueKind.Null, JsonValueKind.Null)));
        HeldConnection[] held = [await HeldConnection.OpenAsync(front), await HeldConnection.OpenAsync(front)];

        await _file.WriteAsync("[[backends]]\naddress = \"10.0.");
        await daemon.LineWithAsync("file says nothing: ");
        Assert.That((await SourceAsync()).GetProperty("warning").GetString(), Does.Contain(".toml: 2:11: "));
        Assert.That(await TextAsync("/metrics"), Does.Contain("l4balancer_discovery_backends{pool=\"chat\"} 4").And.Match("l4balancer_discovery_errors_total\\{pool=\"chat\"\\} [1-9]"));

        await WriteAsync(1);
        await daemon.LineWithAsync("file has only 1 backends");
        Assert.That((await SourceAsync()).GetProperty("held").GetProperty("backends").GetInt32(), Is.EqualTo(1));
        Assert.That(await CountAsync(), Is.EqualTo(4));

        await daemon.LineWithAsync("file has 1 backends");
        await daemon.LineWithAsync("0 added, 3 removed, 0 changed");
        await UntilAsync(async () => await CountAsync() == 1);
        foreach (HeldConnection connection in held)
        {
            Assert.That(await connection.AskAsync(), Is.EqualTo(connection.Backend), "established ones stay, wherever they are");
            connection.Dispose();
        }
    }

    [Test]
    public async Task A_reload_keeps_the_set_of_a_source_that_stays_and_drops_that_of_one_that_goes()
    {
        await WriteAsync(3);
        string config = DaemonProcess.ConfigFileWith(Config("hold = \"1h\""));
        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", config);
        await daemon.ReadyAsync();
        Assert.That(await CountAsync(), Is.EqualTo(3));

        // The same source; then another, which has nothing, so that it is not believed; then none.
        await ReloadAsync(daemon, config, Config("hold = \"1h\"", "max_age = \"1h\""), 2);
        Assert.That(await CountAsync(), Is.EqualTo(3));
        await ReloadAsync(daemon, config, Config("hold = \"2h\"", file: _folder.PathOf("nothing.toml")), 3);
        await daemon.LineWithAsync("file says nothing: ");
        Assert.That(await CountAsync(), Is.EqualTo(3));
        await ReloadAsync(
            daemon, config, Config("", file: null) + $"[[pools.backends]]\nname = \"static\"\naddress = \"{_backends[3].Address}\"\n", 4);

        Assert.That(await CountAsync(), Is.EqualTo(1));
        Assert.That((await _folder.GetAsync("/v1/status")).GetProperty("pools")[0].GetProperty("discovery").ValueKind, Is.EqualTo(JsonValueKind.Null));
    }

    [Test]
    public async Task A_reload_from_backends_of_the_file_to_a_source_keeps_them_until_it_has_answered()
    {
        string[] tables = [.. _backends.Take(3).Select((b, i) => $"[[pools.backends]]\nname = \"ws{i}\"\naddress = \"{b.Address}\"\nweight = {i + 1}\n")];
        string config = DaemonProcess.ConfigFileWith(Config("", file: null) + string.Concat(tables));
        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", config);
        await daemon.ReadyAsync();
        IPEndPoint front = await daemon.ListenerAsync("wss");
        HeldConnection[] held = [await HeldConnection.OpenAsync(front), await HeldConnection.OpenAsync(front)];
        using (HttpResponseMessage answer = await _folder.Http.PostAsync(new Uri("/v1/backends/chat/ws2/drain", UriKind.Relative), null))
        {
            Assert.That(answer.IsSuccessStatusCode);
        }

        // The file of the source is not there; then it is empty; then it has two, of which one is new.
        await ReloadAsync(daemon, config, Config("hold = \"1h\"", file: _folder.PathOf("later.toml"), "max_age = \"1h\""), 2);
        await daemon.LineWithAsync("file says nothing: ");
        Assert.That((await CountAsync(), await StateAsync("ws0"), await StateAsync("ws2")), Is.EqualTo((3, "up", "draining")));
        await ReloadAsync(daemon, config, Config("hold = \"1h\"", file: _file.Path, "max_age = \"2h\""), 3);
        await _file.WriteAsync("backends = []\n");
        await daemon.LineWithAsync("file has only 0 backends");
        Assert.That(await CountAsync(), Is.EqualTo(3));
        using (HeldConnection later = await HeldConnection.OpenAsync(front))
        {
            Assert.That(_backends.Take(2).Select(b => (int)b.Address.Port), Does.Contain(later.Backend));
        }

        await _file.WriteAsync($"[[backends]]\nname = \"ws0\"\naddress = \"{_backends[0].Address}\"\n[[backends]]\naddress = \"{_backends[3].Address}\"\n"
            + $"[[backends]]\naddress = \"{_backends[2].Address}\"\nname = \"ws2\"\n");
        await daemon.LineWithAsync("1 added, 1 removed, 2 changed");
        await UntilAsync(async () => await CountAsync() == 3 && await StateAsync("ws2") == "draining");
        foreach (HeldConnection connection in held)
        {
            Assert.That(await connection.AskAsync(), Is.EqualTo(connection.Backend), "established ones stay, wherever they are");
            connection.Dispose();
        }
    }

    [Test]
    public async Task A_daemon_without_an_answer_starts_and_takes_connections_when_it_comes()
    {
        await using DaemonProcess daemon = DaemonProcess.Start("run", "--config", DaemonProcess.ConfigFileWith(Config("")));
        await daemon.ReadyAsync();
        IPEndPoint front = await daemon.ListenerAsync("wss");
        Assert.That(await Talk.IsRefusedAsync(front));

        await WriteAsync(2);
        await daemon.LineWithAsync("2 added");
        await UntilAsync(async () => await CountAsync() == 2);
        using HeldConnection connection = await HeldConnection.OpenAsync(front);
        Assert.That(_backends.Take(2).Select(b => (int)b.Address.Port), Does.Contain(connection.Backend));
    }

    [Test]
    public async Task A_restart_begins_with_what_was_believed_and_holds_what_would_empty_the_pool()
    {
        await WriteAsync(4);
        string config = DaemonProcess.ConfigFileWith(
            $"[balancer]\nshutdown_grace = \"0s\"\nstate_file = \"{_folder.PathOf("state.json")}\"\n" + Config("hold = \"1h\"\ninterval = \"1s\""));
        await using (DaemonProcess first = DaemonProcess.Start("run", "--config", config))
        {
            await first.ReadyAsync();
            Assert.That(await CountAsync(), Is.EqualTo(4));
            await WriteAsync(3);
            await UntilAsync(async () => await CountAsync() == 3);
            first.Signal(DaemonProcess.SIGTERM);
            Assert.That(await first.ExitAsync(), Is.Zero);
        }

        File.Delete(_file.Path);
        await using DaemonProcess second = DaemonProcess.Start("run", "--config", config);
        await second.ReadyAsync();
        Assert.That(await CountAsync(), Is.EqualTo(3), "the source is away");
        using (HeldConnection connection = await HeldConnection.OpenAsync(await second.ListenerAsync("wss")))
        {
            Assert.That(_backends.Take(3).Select(static b => (int)b.Address.Port), Does.Contain(connection.Backend));
        }

        await _file.WriteAsync("");
        await second.LineWithAsync("file has only 0 backends");
        Assert.That(await CountAsync(), Is.EqualTo(3), "an empty set is held");
        await WriteAsync(4);
        await UntilAsync(async () => await CountAsync() == 4);
    }

    private static async Task ReloadAsync(DaemonProcess daemon, string path, string config, int generation)
    {
        await File.WriteAllTextAsync(path, config);
        daemon.Signal(DaemonProcess.SIGHUP);
        await daemon.LineWithAsync($"generation {generation}");
    }

    private Task WriteAsync(int count) => _file.WriteAsync([.. _backends.Take(count).Select(static b => new DiscoveredBackend(b.Address))]);

    private async Task<JsonElement> SourceAsync() => (await _folder.GetAsync("/v1/status")).GetProperty("pools")[0].GetProperty("discovery");

    private async Task<int> CountAsync() => (await _folder.GetAsync("/v1/status")).GetProperty("pools")[0].GetProperty("backends").GetInt32();

    private async Task<string> StateAsync(string backend) => (await _folder.GetAsync($"/v1/backends/chat/{backend}")).GetProperty("state").GetString()!;

    private Task<string> TextAsync(string path) => _folder.Http.GetStringAsync(path);

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!await condition())
        {
            await looks.WaitForNextTickAsync(deadline.Token);
        }
    }

    private string Config(string discovery, string pool = "") => Config(discovery, _file.Path, pool);

    private string Config(string discovery, string? file, string pool = "") => $$"""
        [admin]
        socket = "{{_folder.SocketPath}}"
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
        health = { type = "none" }
        {{pool}}

        """ + (file is null ? "" : $"[pools.discovery]\nfile = \"{file}\"\n{discovery}\n");
}
