using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json;
using L4Balancer.CommandLine;
using L4Balancer.Tests.Admin;

namespace L4Balancer.Tests.Pacing;

/// <summary>A daemon of its own before backends that hold their connections, asked over its socket.</summary>
internal sealed class PacedScene : IAsyncDisposable
{
    private readonly SocketFolder _folder = new();
    private readonly string? _health;
    private string _pool;
    private readonly string _engine;
    private readonly bool _lastIsBackup;
    private readonly string _file;
    private readonly DaemonProcess _daemon;

    private PacedScene(string engine, int backends, string pool, string? health, bool lastIsBackup, string[] wrapper)
    {
        (_engine, _pool, _health, _lastIsBackup) = (engine, pool, health, lastIsBackup);
        Backends = [.. Enumerable.Range(0, backends).Select(_ => new HoldingBackend())];
        _file = DaemonProcess.ConfigFileWith(Config(backends));
        _daemon = DaemonProcess.Start(new Dictionary<string, string>(), wrapper, "run", "--config", _file);
    }

    public HoldingBackend[] Backends { get; private set; }

    public LoyalClients Clients { get; } = new();

    public IPEndPoint Listener { get; private set; } = null!;

    public DaemonProcess Daemon => _daemon;

    /// <param name="pool">Further lines of the pool.</param>
    /// <param name="health">Lines of its table of that name; null: it is probed ten times a second. Empty: there is no such table.</param>
    /// <param name="wrapper">As for <see cref="DaemonProcess"/>.</param>
    public static async Task<PacedScene> StartAsync(string engine, int backends, string pool = "", string? health = null, params string[] wrapper)
    {
        var scene = new PacedScene(engine, backends, pool, health, lastIsBackup: false, wrapper);
        await scene.ReadyAsync();
        return scene;
    }

    /// <summary>Two primaries and a backup.</summary>
    public static async Task<PacedScene> StartWithBackupAsync(string engine, string pool)
    {
        var scene = new PacedScene(engine, backends: 3, pool, health: null, lastIsBackup: true, []);
        await scene.ReadyAsync();
        return scene;
    }

    public async Task AddBackendAsync()
    {
        Backends = [.. Backends, new HoldingBackend()];
        await File.WriteAllTextAsync(_file, Config(Backends.Length));
        Assert.That((await CommandAsync("reload")).Code, Is.Zero);
        await UntilAsync(async () => !(await StatesAsync()).Contains("checking"), "it has been probed");
    }

    /// <summary>Takes the last backend out of the file; it goes on running.</summary>
    public async Task RemoveBackendAsync()
    {
        await File.WriteAllTextAsync(_file, Config(Backends.Length - 1));
        Assert.That((await CommandAsync("reload")).Code, Is.Zero);
    }

    /// <param name="pool">Further lines of the pool, in place of those before.</param>
    public async Task ReloadAsync(string pool)
    {
        _pool = pool;
        await File.WriteAllTextAsync(_file, Config(Backends.Length));
        Assert.That((await CommandAsync("reload")).Code, Is.Zero);
    }

    /// <summary>Established connections by backend.</summary>
    public async Task<int[]> ConnectionsAsync() => [.. (await BackendsAsync()).Select(b => b.GetProperty("connections").GetInt32())];

    /// <summary>As the API names them, by backend.</summary>
    public async Task<string[]> StatesAsync() => [.. (await BackendsAsync()).Select(b => b.GetProperty("state").GetString()!)];

    /// <summary>Connections that were closed for this reason, over all backends.</summary>
    public async Task<long> ClosedAsync(string reason) => (await BackendsAsync())
        .Sum(b => b.GetProperty("closed").TryGetProperty(reason, out JsonElement count) ? count.GetInt64() : 0);

    public async Task<string> MetricsAsync() => await _folder.Http.GetStringAsync("/metrics");

    /// <returns>The status, and the answer's JSON.</returns>
    public async Task<(int Status, JsonElement Answer)> SendAsync(string method, string path)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using HttpResponseMessage response = await _folder.Http.SendAsync(request);
        return ((int)response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement);
    }

    public async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        var waited = Stopwatch.StartNew();
        using var steps = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!await condition())
        {
            Assert.That(waited.Elapsed, Is.LessThan(DaemonProcess.Deadline), $"waited in vain: {what}; {string.Join(' ', await ConnectionsAsync())}");
            await steps.WaitForNextTickAsync();
        }
    }

    public async Task<(int Code, string Output)> CommandAsync(params string[] args)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var errors = new StringWriter { NewLine = "\n" };
        int code = await CommandLineRoot.InvokeAsync([.. args, "--admin", _folder.SocketPath, .. DaemonProcess.Patiently], output, errors);
        return (code, output.ToString() + errors);
    }

    /// <summary>A command as a process of its own.</summary>
    public DaemonProcess StartCommand(params string[] args) => DaemonProcess.Start([.. args, "--admin", _folder.SocketPath, .. DaemonProcess.Patiently]);

    /// <param name="wrapper">As for <see cref="DaemonProcess"/>.</param>
    public DaemonProcess StartWrapped(string[] wrapper, params string[] args) =>
        DaemonProcess.Start(new Dictionary<string, string>(), wrapper, [.. args, "--admin", _folder.SocketPath, .. DaemonProcess.Patiently]);

    private async Task ReadyAsync()
    {
        await _daemon.ReadyAsync();
        Listener = await _daemon.ListenerAsync("wss");
    }

    public async ValueTask DisposeAsync()
    {
        await Clients.DisposeAsync();
        await _daemon.DisposeAsync();
        Array.ForEach(Backends, b => b.Dispose());
        _folder.Dispose();
    }

    /// <summary>As the API reports them.</summary>
    public async Task<JsonElement[]> BackendsAsync()
    {
        JsonElement answer = await _folder.GetAsync("/v1/backends");
        return [.. answer.GetProperty("backends").EnumerateArray()];
    }

    private string Health =>
        _health is null ? "  [pools.health]\n  interval = \"100ms\"\n  rise = 1\n  fall = 2" : _health.Length > 0 ? $"  [pools.health]\n{_health}" : "";

    private string Config(int backends) => $"""
        [balancer]
        engine = "{_engine}"
        shutdown_grace = "0s"
        access_log = "all"
        [admin]
        socket = "{_folder.SocketPath}"
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
        {_pool}
        {Health}
        {string.Join('\n', Backends.Take(backends).Select((b, i) => string.Create(CultureInfo.InvariantCulture, $"""
          [[pools.backends]]
          name = "ws{i + 1}"
          address = "{b.Endpoint}"
          backup = {(_lastIsBackup && i == backends - 1 ? "true" : "false")}
        """)))}

        """;
}
