using System.Globalization;
using System.Net;
using System.Text.Json;
using L4Balancer.Admin;
using L4Balancer.CommandLine;
using L4Balancer.Configuration;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;
using L4Balancer.Tests.Admin;
using L4Balancer.Tests.Truth;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>
/// A daemon with a listener and a pool for each <c>hash_key</c>, with <c>sticky</c> and without, all of them before the same backends, of which
/// the last is added later.
/// </summary>
internal sealed class KeyedScene : IAsyncDisposable
{
    private readonly SocketFolder _folder = new();
    private readonly int[] _ports;
    private readonly string[] _keys;
    private readonly Lazy<RoutingSnapshot[]> _futures;
    private readonly string _file;
    private readonly DaemonProcess _daemon;

    private KeyedScene(int[] ports, string[] keys)
    {
        (_ports, _keys) = (ports, keys);
        _futures = new Lazy<RoutingSnapshot[]>(() => [.. new[] { false, true }.Select(isAdded => RoutingSnapshot.Build(
            new(ConfigFile.Load(DaemonProcess.ConfigFileWith(Config(isAdded))).Config!, MaxConnections: 1) { Names = Resolutions.Assumed }))]);
        _file = DaemonProcess.ConfigFileWith(Config(isAdded: false));
        _daemon = DaemonProcess.Start("run", "--config", _file);
    }

    /// <param name="ports">Of backends on loopback.</param>
    /// <param name="keys">One part of <c>hash_key</c> each.</param>
    public static async Task<KeyedScene> StartAsync(int[] ports, params string[] keys)
    {
        var scene = new KeyedScene(ports, keys);
        await scene._daemon.ReadyAsync();
        return scene;
    }

    /// <summary>The name of the listener and of its pool.</summary>
    public static string NameOf(string key, bool isSticky) => $"{key.Replace(':', '-')}-{(isSticky ? "sticky" : "hash")}";

    public static string NameOf(int backend) => $"ws{backend + 1}";

    public async Task<int> PortAsync(string listener) => (await _daemon.ListenerAsync(listener)).Port;

    public async Task AddBackendAsync(CancellationToken cancel)
    {
        await File.WriteAllTextAsync(_file, Config(isAdded: true), cancel);
        await CommandAsync("reload");
        using var steps = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        JsonElement backends;
        do
        {
            await steps.WaitForNextTickAsync(cancel);
            backends = (await _folder.GetAsync("/v1/backends")).GetProperty("backends");
        }
        while (!backends.EnumerateArray().All(b => b.GetProperty("state").GetString() == "up"));
    }

    /// <summary>Closes every established connection, as an operator would.</summary>
    public Task CloseAllAsync() => CommandAsync("close", "--source", "127.0.0.0/8");

    /// <summary>The backend that <c>locate</c> names.</summary>
    /// <param name="client">Further parameters.</param>
    public async Task<string> LocateAsync(string listener, string source, string client = "")
    {
        JsonElement answer = await _folder.GetAsync($"/v1/locate?listener={listener}&source={source}:1234{client}");
        return answer.GetProperty("backend").GetString()!;
    }

    /// <summary>Whether a client moves when the last backend is added, by <c>locate</c> without a daemon.</summary>
    public bool IsMoving(string listener, string source, AskedClient client)
    {
        string[] homes = [.. _futures.Value.Select(snapshot =>
        {
            Assert.That(Endpoint.TryParse($"{source}:1234", out Endpoint from), Is.True);
            Listener at = snapshot.Listeners.Single(l => l.Name == listener);
            var location = Location.Of(at, from, destination: null, client, isLive: false, now: default, out string mistake);
            return location?.Backend?.Name ?? throw new InvalidOperationException(mistake);
        })];
        return homes[0] != homes[1];
    }

    /// <summary>Connections without a value of their key.</summary>
    public async Task<double> KeysMissingAsync(string listener) =>
        new Exposition(await _folder.Http.GetStringAsync("/metrics")).Sum("route_key_missing_total", $"listener={listener}");

    public async ValueTask DisposeAsync()
    {
        await _daemon.DisposeAsync();
        _folder.Dispose();
    }

    private async Task CommandAsync(params string[] args)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var errors = new StringWriter { NewLine = "\n" };
        int code = await CommandLineRoot.InvokeAsync([.. args, "--admin", _folder.SocketPath, .. DaemonProcess.Patiently], output, errors);
        Assert.That(code, Is.Zero, errors.ToString());
    }

    private string Config(bool isAdded)
    {
        string backends = string.Join(", ", _ports.SkipLast(isAdded ? 0 : 1).Select((port, i) =>
            string.Create(CultureInfo.InvariantCulture, $"{{ name = \"{NameOf(i)}\", address = \"{IPAddress.Loopback}:{port}\" }}")));
        string pools = string.Concat(_keys.SelectMany(key => new[] { false, true }.Select(isSticky => $$"""
            [[listeners]]
            name = "{{NameOf(key, isSticky)}}"
            bind = ["0.0.0.0:0"]
            pool = "{{NameOf(key, isSticky)}}"
            inspect = "http"
            [[pools]]
            name = "{{NameOf(key, isSticky)}}"
            hash_key = ["{{key}}"]
            {{(isSticky ? "sticky = { ttl = \"5m\" }" : "")}}
            health = { interval = "100ms", rise = 1 }
            backends = [{{backends}}]

            """)));
        return $"[balancer]\nshutdown_grace = \"0s\"\n[admin]\nsocket = \"{_folder.SocketPath}\"\n{pools}";
    }
}
