using System.Globalization;
using System.Net;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Discovery;
using L4Balancer.Tests.Admin;

namespace L4Balancer.Tests.Discovery;

/// <summary>
/// A daemon whose pool has its backends from a store, under a steady load of connects, and what has to hold while the store changes: no
/// connect is refused, none reaches a backend that was believed to be gone a second before, and established ones stay. The same for every
/// store.
/// </summary>
internal sealed class DiscoveryLoadScene : IAsyncDisposable
{
    /// <summary>From the moment at which a change is believed to that from which on no connection may go by the state before.</summary>
    public static readonly TimeSpan Late = TimeSpan.FromSeconds(1);

    private const int ConnectsPerSecond = 500;
    private const int Established = 60;

    private readonly SocketFolder _folder = new();
    private readonly List<RecordingBackend> _backends = [];
    private readonly List<HeldConnection> _established = [];
    private readonly Func<IReadOnlyList<DiscoveredBackend>, Task> _write;
    private readonly int _light;
    private DaemonProcess? _daemon;
    private SteadyLoad? _load;
    private int _believed;
    private TimeSpan _latest;

    private DiscoveryLoadScene(Func<IReadOnlyList<DiscoveredBackend>, Task> write, int light)
    {
        _write = write;
        _light = light;
    }

    /// <param name="discovery">The lines of <c>[pools.discovery]</c>.</param>
    /// <param name="write">Replaces what the store has; the set is in no particular order, and its backends have no names.</param>
    /// <param name="light">The weight that a backend gets for a while: 0, or 1 where the store cannot say that one gets no connections.</param>
    public static async Task<DiscoveryLoadScene> StartAsync(string discovery, Func<IReadOnlyList<DiscoveredBackend>, Task> write, int light = 0)
    {
        var scene = new DiscoveryLoadScene(write, light);
        try
        {
            for (int i = 0; i < 4; i++)
            {
                scene._backends.Add(new RecordingBackend());
            }

            await scene.WriteAsync();
            scene._daemon = DaemonProcess.Start("run", "--config", DaemonProcess.ConfigFileWith(scene.Config(discovery)));
            await scene.BelievedAsync("4 added, 0 removed, 0 changed");
            IPEndPoint front = await scene._daemon.ListenerAsync("wss");
            await scene._daemon.ReadyAsync();
            await scene.UntilAsync(async () => await scene.CountUpAsync() == 4, "all backends are up");
            for (int i = 0; i < Established; i++)
            {
                scene._established.Add(await HeldConnection.OpenAsync(front));
            }

            scene._load = new SteadyLoad(front, ConnectsPerSecond);
            return scene;
        }
        catch
        {
            await scene.DisposeAsync();
            throw;
        }
    }

    public DaemonProcess Daemon => _daemon!;

    public SocketFolder Admin => _folder;

    /// <summary>Adds, reweighs, removes and drains under load, and checks all that has to hold.</summary>
    /// <param name="hasWeights">Whether the store can tell a weight; otherwise none changes.</param>
    /// <param name="nameOf">The name that the store gives to the backend of an address; null where it gives none.</param>
    public async Task AddReweighRemoveAndDrainAsync(bool hasWeights = true, Func<string, string>? nameOf = null)
    {
        await _load!.ConnectsAsync(ConnectsPerSecond);

        var added = new RecordingBackend();
        _backends.Add(added);
        await WriteAsync();
        await BelievedAsync("1 added, 0 removed, 0 changed");
        await UntilAsync(() => Task.FromResult(added.Connections > 0), "the new backend gets connections");

        if (hasWeights)
        {
            await ReweighAsync(_backends[0]);
        }

        RecordingBackend gone = _backends[1];
        gone.IsRegistered = false;
        await WriteAsync();
        await NoneLaterAsync(gone, await BelievedAsync("0 added, 1 removed, 0 changed"));

        RecordingBackend drained = _backends[2];
        using HttpResponseMessage answer = await _folder.Http.PostAsync(
            new Uri($"/v1/backends/chat/{nameOf?.Invoke(drained.Address.ToString()) ?? drained.Address.ToString()}/drain", UriKind.Relative), null);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK), await answer.Content.ReadAsStringAsync());
        await NoneLaterAsync(drained, DateTime.UtcNow);

        await _load.StopAsync();
        await TestContext.Out.WriteLineAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"{_load.Count} connects, {_load.Rate:0} a second, {_load.Failures.Count} failed; the latest to a backend that was gone came {_latest.TotalMilliseconds:0} ms after that was believed"));
        Assert.That(_load.Failures, Is.Empty, $"of {_load.Count} connects");
        Assert.That(_load.Rate, Is.GreaterThan(ConnectsPerSecond / 2), "it made up for what was late");
        await AllEstablishedLiveAsync();
        await TestContext.Out.WriteLineAsync($"{_established.Count} of {Established} established connections kept");
        Assert.That(_established.Select(e => e.Backend).Distinct().Count(), Is.EqualTo(4), "also at the one that is gone and at the one that is drained");
    }

    /// <summary>Under load, does something to the store that must change nothing.</summary>
    public async Task NothingChangesWhileAsync(Func<Task> trouble)
    {
        await trouble();
        await _load!.ConnectsAsync(ConnectsPerSecond / 4);
        Assert.That(_load.Failures, Is.Empty, $"of {_load.Count} connects");
        Assert.That(_daemon!.Output.Count(static l => l.Contains(" removed, ", StringComparison.Ordinal)), Is.EqualTo(_believed));
        Assert.That(await CountUpAsync(), Is.EqualTo(_backends.Count));
        await AllEstablishedLiveAsync();
    }

    /// <summary>Every connection that was established before still goes to where it went.</summary>
    public async Task AllEstablishedLiveAsync()
    {
        foreach (HeldConnection connection in _established)
        {
            Assert.That(await connection.AskAsync(), Is.EqualTo(connection.Backend));
        }
    }

    /// <summary>Waits until the next set is believed.</summary>
    /// <param name="difference">As the log says it.</param>
    /// <returns>When the daemon says that it did.</returns>
    public async Task<DateTime> BelievedAsync(string difference)
    {
        string line = await _daemon!.LineWithAsync("backends (version ", ++_believed);
        Assert.That(line, Does.EndWith(difference));
        return DateTime.Parse(line.AsSpan(0, line.IndexOf(' ', StringComparison.Ordinal)), CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal);
    }

    /// <summary>Waits until the condition holds.</summary>
    public async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (!await condition())
        {
            try
            {
                await looks.WaitForNextTickAsync(deadline.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"not within {DaemonProcess.Deadline}: {what}\n{string.Join('\n', _daemon!.Output)}");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_load is not null)
        {
            await _load.StopAsync();
            _load.Dispose();
        }

        _established.ForEach(static e => e.Dispose());
        if (_daemon is not null)
        {
            await _daemon.DisposeAsync();
        }

        foreach (RecordingBackend backend in _backends)
        {
            await backend.DisposeAsync();
        }

        _folder.Dispose();
    }

    // It keeps its connections, and gets none, or one of four hundred or so.
    private async Task ReweighAsync(RecordingBackend light)
    {
        light.Weight = _light;
        await WriteAsync();
        DateTime believed = await BelievedAsync("0 added, 0 removed, 1 changed");
        if (_light == 0)
        {
            await NoneLaterAsync(light, believed);
        }
        else
        {
            await UntilAsync(() => Task.FromResult(DateTime.UtcNow > believed + Late), "the new weight holds");
            int had = light.Connections;
            await _load!.ConnectsAsync(ConnectsPerSecond);
            Assert.That(light.Connections - had, Is.LessThan(ConnectsPerSecond / 20));
        }

        light.Weight = 100;
        await WriteAsync();
        await BelievedAsync("0 added, 0 removed, 1 changed");
        int before = light.Connections;
        await UntilAsync(() => Task.FromResult(light.Connections > before), "it gets connections again");
    }

    // The load goes on for as long as a late connection may come, and for as many connects as make one there very likely.
    private async Task NoneLaterAsync(RecordingBackend backend, DateTime believed)
    {
        DateTime late = believed + Late;
        int begun = _load!.Count;
        await UntilAsync(() => Task.FromResult(DateTime.UtcNow > late && _load.Count - begun > ConnectsPerSecond), "the time in which they may come is over");
        int then = _load.Count;
        await _load.ConnectsAsync(ConnectsPerSecond / 4, from: then);
        _latest = backend.Last - believed is { } after && after > _latest ? after : _latest;
        Assert.That(backend.Last, Is.LessThan(late), $"{backend.Address} got a connection after {believed:O}");
    }

    private Task WriteAsync() => _write([.. _backends.Where(static b => b.IsRegistered).Select(static b => new DiscoveredBackend(b.Address) { Weight = b.Weight })]);

    private async Task<int> CountUpAsync() =>
        (await _folder.GetAsync("/v1/status")).GetProperty("pools").EnumerateArray().Sum(static p => p.GetProperty("up").GetInt32());

    private string Config(string discovery) => $$"""
        [balancer]
        shutdown_grace = "0s"
        [admin]
        socket = "{{_folder.SocketPath}}"
        [[listeners]]
        name = "wss"
        bind = ["127.0.0.1:0"]
        pool = "chat"
        [[pools]]
        name = "chat"
        health = { interval = "1s", fast_interval = "100ms", timeout = "30s" }
          [pools.discovery]
          {{discovery}}
        """;
}
