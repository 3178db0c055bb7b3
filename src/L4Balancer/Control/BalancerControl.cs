using L4Balancer.Configuration;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using L4Balancer.Engine.Probing;
using L4Balancer.Resolving;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// The one writer of what is in force: the configuration, what operators set at run time, and health. Everything that changes it comes
/// through here, one change at a time, and ends in a snapshot that the engine reads. Any thread may call.
/// </summary>
internal sealed class BalancerControl : IAsyncDisposable
{
    private readonly IEngine _engine;
    private readonly ILogger _log;
    private readonly ControlQueue _queue;
    private readonly ConfigReload _reload;
    private readonly Reloads? _reloads;
    private readonly HealthControl _health;
    private readonly Prober _prober;
    private readonly Closings _closings;
    private readonly SlowStarts _slowStarts;
    private readonly NameControl _names;
    private volatile InForce _now;

    /// <param name="snapshot">The one that the engine runs.</param>
    /// <param name="desired">What that one was built from.</param>
    /// <param name="names">Those of the configuration.</param>
    /// <param name="descriptorLimit">How many descriptors the process may hold.</param>
    /// <param name="path">Where the configuration was read; null where it was not read from a file.</param>
    public BalancerControl(
        DesiredState desired, RoutingSnapshot snapshot, IEngine engine, BackendNames names, long descriptorLimit, string? path,
        TimeProvider clock, ILoggerFactory loggers)
    {
        _now = new InForce(desired, snapshot);
        _engine = engine;
        _log = loggers.CreateLogger<BalancerControl>();
        _closings = new Closings(engine, () => Snapshot, clock, _log);
        var board = new HealthBoard { Rising = cell => _slowStarts!.Begin(cell) };
        _health = new HealthControl(
            board, clock, loggers.CreateLogger<HealthControl>(), change => _queue!.Post(change), OnHealthChanged,
            cell => _prober!.Replan(cell));
        _queue = new ControlQueue(report => _health.Take(report), _log);
        _prober = new Prober(clock, Random.Shared, _queue.Report);
        _health.Follow(snapshot);
        _slowStarts = new SlowStarts(() => Snapshot, clock, _queue.Post);
        _names = new NameControl(names, _health.TellIfDead, clock, _log, () => _queue.Post(PutNamesInForce));
        _names.Follow(null, desired.File, snapshot);
        _reload = new ConfigReload(() => _now, PutInForce, _names, descriptorLimit, _log) { Succeeded = () => Reloaded?.Invoke(Config) };
        _reloads = path is null ? null : new Reloads(_queue, new ConfigSource(path, givenUp => _reload.Read(path, givenUp), clock));
        _prober.Publish(snapshot);
        snapshot.Cell.OnConnectNews = (cell, news) => _queue.Post(() => _health.Take(cell, news));
        _queue.Post(() => _health.HearWhatWasSaid(snapshot));
    }

    /// <summary>A backend has changed between up, degraded and down, or its mode. Called by the writer.</summary>
    public event Action? HealthChanged;

    /// <summary>A reload begins. Called by the writer.</summary>
    public event Action? ReloadBegins;

    /// <summary>A reload has ended, whatever it came to. Called by the writer.</summary>
    public event Action? ReloadEnds;

    /// <summary>
    /// The file was read again and is in force, whether it says something else or not. Called by the writer, before the reload is
    /// answered.
    /// </summary>
    public event Action<BalancerConfig>? Reloaded;

    /// <inheritdoc cref="ConfigReload.ReadsToo"/>
    public Func<BalancerConfig, Action> ReadsToo
    {
        get => _reload.ReadsToo;
        set => _reload.ReadsToo = value;
    }

    /// <summary>What is in force: the file, but for what needs a restart.</summary>
    public BalancerConfig Config => _now.Config;

    public RoutingSnapshot Snapshot => _now.Snapshot;

    /// <summary>Reads the file again and puts it in force; established connections stay as they are. A bad file changes nothing.</summary>
    /// <param name="who">Who asked, for the log.</param>
    /// <exception cref="ObjectDisposedException">The daemon is at its end.</exception>
    public Task<ReloadResult> ReloadAsync(string who) => _reloads is null
        ? _queue.RunAsync(() => _reload.Refuse("there is no file to reload: this daemon was started without one", who))
        : _reloads.RunAsync(() => ReloadBegins?.Invoke(), read => _reload.Apply(read, who), () => ReloadEnds?.Invoke());

    /// <summary>Host names have come to stand for something else. Any thread; never blocks.</summary>
    public void NamesChanged() => _names.Changed();

    /// <summary>What of this backend is being closed at a pace now; null: nothing.</summary>
    public Shedding? SheddingOf(BackendCell cell) => _closings.Of(cell);

    /// <param name="tempo">How fast its established connections are closed; null: they stay.</param>
    /// <returns>False where there is no such backend.</returns>
    public Task<bool> SetModeAsync(string pool, string backend, BackendMode mode, string who, Tempo? tempo = null) => _queue.RunAsync(() =>
    {
        if (_now.Find(pool, backend) is not ({ } found, { } member))
        {
            return false;
        }

        BackendOverrides overrides = _now.Desired.Overrides;
        BackendOverride before = overrides[pool, backend];
        _now = _now with { Desired = _now.Desired with { Overrides = overrides.With(pool, backend, before with { Mode = mode }) } };
        if (mode == BackendMode.Ready && before.Mode != BackendMode.Ready)
        {
            _slowStarts.Begin(member.Cell);
        }

        found.SetMode(member.Index, mode);
        _health.ModeSet(found);
        _log.ModeSet(pool, backend, mode.ToString().ToLowerInvariant(), who);
        _closings.ModeSet(found, member, tempo);
        HealthChanged?.Invoke();
        return true;
    });

    /// <summary>Begins to bring a pool's backends to their fair shares.</summary>
    /// <param name="perSecond">Null: the pool's <c>close_rate</c>.</param>
    /// <returns>What it sets out to do; null where there is no such pool.</returns>
    public Task<RebalancePlan?> RebalanceAsync(string pool, double tolerance, int? perSecond, string who) => _queue.RunAsync(() =>
    {
        if (Snapshot.Pools.FirstOrDefault(p => p.Name == pool) is not Pool found)
        {
            return null;
        }

        _log.RebalanceAsked(pool, who);
        return _closings.Rebalance(found, tolerance, perSecond);
    });

    /// <param name="weight">0 to 1000.</param>
    /// <returns>False where there is no such backend.</returns>
    /// <exception cref="InvalidOperationException">The engine did not take it; nothing was changed.</exception>
    public Task<bool> SetWeightAsync(string pool, string backend, int weight, string who) => _queue.RunAsync(() =>
    {
        InForce before = _now;
        if (before.Find(pool, backend) is not (_, { } member))
        {
            return false;
        }

        int? set = weight == member.Settings.Weight ? null : weight;
        BackendOverrides overrides = before.Desired.Overrides;
        overrides = overrides.With(pool, backend, overrides[pool, backend] with { Weight = set });
        if (PutInForce(before.Desired with { Overrides = overrides }) is { Count: > 0 } failures)
        {
            throw new InvalidOperationException($"the weight was not set: {failures[0].Message}");
        }

        _log.WeightSet(pool, backend, weight, who);
        return true;
    });

    /// <summary>No probes, no changes any more; what was asked before is done first.</summary>
    public async ValueTask DisposeAsync()
    {
        _reloads?.Dispose();
        _names.Dispose();
        await _prober.DisposeAsync();
        await _health.DisposeAsync();
        await _slowStarts.DisposeAsync();
        await _queue.DisposeAsync();
        await _closings.DisposeAsync();
    }

    // The engine is the only one that can refuse, so everybody else follows after it; but what is down must be known to it at once.
    private IReadOnlyList<ListenFailure> PutInForce(DesiredState desired)
    {
        InForce before = _now;
        RoutingSnapshot snapshot = RoutingSnapshot.Build(desired, before.Snapshot);
        _health.Board.Mark(snapshot);
        _slowStarts.BeginNew(before.Snapshot, snapshot);
        _slowStarts.SetShares(snapshot);
        IReadOnlyList<ListenFailure> failures = _engine.Publish(snapshot);
        if (failures.Count == 0)
        {
            _now = new InForce(desired, snapshot);
            _prober.Publish(snapshot);
            _health.Follow(snapshot);
            _closings.Follow(before.Snapshot, snapshot);
        }

        _slowStarts.Grow();
        return failures;
    }

    private void PutNamesInForce()
    {
        InForce before = _now;
        Resolutions resolutions = _names.After(before.Desired.Names, before.Config);
        if (resolutions != before.Desired.Names)
        {
            foreach (ListenFailure failure in PutInForce(before.Desired with { Names = resolutions }))
            {
                _log.NamesNotInForce(failure.Message);
            }
        }

        _names.Follow(before.Snapshot, before.Config, Snapshot);
        if (Snapshot != before.Snapshot)
        {
            HealthChanged?.Invoke();
        }
    }

    private void OnHealthChanged(Pool pool, Backend backend)
    {
        if (_now.Find(pool.Name, backend.Name) is ({ } now, { } member) && member.Cell == backend.Cell)
        {
            _closings.HealthChanged(now, member);
        }

        HealthChanged?.Invoke();
    }
}
