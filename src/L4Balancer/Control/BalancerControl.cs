using System.Collections.Immutable;
using L4Balancer.Configuration;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using L4Balancer.Engine.Probing;
using L4Balancer.Platform;
using L4Balancer.Resolving;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// The one writer of what is in force: the configuration, what operators set at run time, and health. Everything that changes it comes
/// through here, one change at a time, and ends in a snapshot that the engine reads. Any thread may call.
/// </summary>
internal sealed class BalancerControl : IAsyncDisposable
{
    /// <summary>How often a growing share is set anew.</summary>
    private static readonly TimeSpan SlowStartStep = TimeSpan.FromMilliseconds(100);

    private readonly IEngine _engine;
    private readonly long _descriptorLimit;
    private readonly ILogger _log;
    private readonly ControlQueue _queue;
    private readonly Reloads? _reloads;
    private readonly HealthControl _health;
    private readonly Prober _prober;
    private readonly Closings _closings;
    private readonly SlowStarts _slowStarts;
    private readonly NameControl _names;
    private readonly ITimer _slowStartTimer;
    private volatile RoutingSnapshot _snapshot;
    private volatile BalancerConfig _config;
    private BackendOverrides _overrides = BackendOverrides.None;

    /// <param name="snapshot">The one that the engine runs.</param>
    /// <param name="names">Those of the configuration.</param>
    /// <param name="descriptorLimit">How many descriptors the process may hold.</param>
    /// <param name="path">Where the configuration was read; null where it was not read from a file.</param>
    public BalancerControl(
        BalancerConfig config, RoutingSnapshot snapshot, IEngine engine, BackendNames names, long descriptorLimit, string? path,
        TimeProvider clock, ILoggerFactory loggers)
    {
        _config = config;
        _snapshot = snapshot;
        _engine = engine;
        _descriptorLimit = descriptorLimit;
        _log = loggers.CreateLogger<BalancerControl>();
        _closings = new Closings(engine, () => _snapshot, clock, _log);
        _health = new HealthControl(clock, loggers.CreateLogger<HealthControl>(), change => _queue!.Post(change), OnHealthChanged);
        _health.Follow(snapshot);
        _queue = new ControlQueue(Take, _log);
        _reloads = path is null ? null : new Reloads(_queue, new ConfigSource(path, givenUp => Read(path, givenUp), clock));
        _slowStarts = new SlowStarts(clock);
        _slowStartTimer = clock.CreateTimer(_ => _queue.Post(StepSlowStarts), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _names = new NameControl(names, _health.TellIfDead, clock, _log, () => _queue.Post(PutNamesInForce));
        _names.Follow(null, config, snapshot);
        _prober = new Prober(clock, Random.Shared, _queue.Report);
        _prober.Publish(snapshot);
        snapshot.Cell.OnConnectNews = (cell, news) => _queue.Post(() => Take(cell, news));
        _queue.Post(() => HearWhatWasSaid(snapshot));
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
    public event Action<BalancerConfig, RoutingSnapshot>? Reloaded;

    /// <summary>
    /// Reads what else belongs to a configuration, on a thread where that may take its time, and answers what puts it in force: the
    /// writer calls that once the reload has succeeded.
    /// </summary>
    public Func<BalancerConfig, Action>? ReadsToo { get; set; }

    /// <summary>What is in force: the file, but for what needs a restart.</summary>
    public BalancerConfig Config => _config;

    public RoutingSnapshot Snapshot => _snapshot;

    /// <summary>Reads the file again and puts it in force; established connections stay as they are. A bad file changes nothing.</summary>
    /// <param name="who">Who asked, for the log.</param>
    /// <exception cref="ObjectDisposedException">The daemon is at its end.</exception>
    public Task<ReloadResult> ReloadAsync(string who) => _reloads is null
        ? _queue.RunAsync(() => Ended(Failed("there is no file to reload: this daemon was started without one"), who))
        : _reloads.RunAsync(() => ReloadBegins?.Invoke(), read => Ended(TryReload(read, who), who), () => ReloadEnds?.Invoke());

    /// <summary>Host names have come to stand for something else. Any thread; never blocks.</summary>
    public void NamesChanged() => _names.Changed();

    /// <summary>What of this backend is being closed at a pace now; null: nothing.</summary>
    public Shedding? SheddingOf(BackendCell cell) => _closings.Of(cell);

    /// <param name="tempo">How fast its established connections are closed; null: they stay.</param>
    /// <returns>False where there is no such backend.</returns>
    public Task<bool> SetModeAsync(string pool, string backend, BackendMode mode, string who, Tempo? tempo = null) => _queue.RunAsync(() =>
    {
        if (Find(pool, backend) is not ({ } found, { } member))
        {
            return false;
        }

        BackendMode before = _overrides[pool, backend].Mode;
        _overrides = _overrides.With(pool, backend, _overrides[pool, backend] with { Mode = mode });
        found.SetMode(member.Index, mode);
        if (mode == BackendMode.Ready && before != BackendMode.Ready)
        {
            _slowStarts.Begin(member.Cell);
            StepSlowStarts();
        }

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
        if (_snapshot.Pools.FirstOrDefault(p => p.Name == pool) is not Pool found)
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
        if (Find(pool, backend) is not (_, { } member))
        {
            return false;
        }

        int? set = weight == member.Settings.Weight ? null : weight;
        BackendOverrides overrides = _overrides.With(pool, backend, _overrides[pool, backend] with { Weight = set });
        if (PutInForce(_config, _snapshot.With(_config, overrides)) is { Count: > 0 } failures)
        {
            throw new InvalidOperationException($"the weight was not set: {failures[0].Message}");
        }

        _overrides = overrides;
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
        await _slowStartTimer.DisposeAsync();
        await _queue.DisposeAsync();
        await _closings.DisposeAsync();
    }

    // Whatever asks the disk or the machine is done here: it may hang, and nobody waits for it but the reload.
    private ReadConfig Read(string path, CancellationToken givenUp)
    {
        ConfigFile file = ConfigFile.Load(path);
        if (givenUp.IsCancellationRequested || file.Config is not BalancerConfig config)
        {
            return new ReadConfig(file, [], static () => { });
        }

        _names.Prepare(config);
        ImmutableArray<string> lacking = PlatformNeeds.Missing(FixedAtStart.Keep(_config, config));
        return new ReadConfig(file, lacking, ReadsToo?.Invoke(config) ?? (static () => { }));
    }

    private ReloadResult Ended(ReloadResult result, string who)
    {
        _snapshot.Cell.Reloads.Count(result.Outcome != ReloadOutcome.Failed);
        _names.Keep(_config);
        Tell(result, who);
        return result;
    }

    // Whoever asked is answered, and the next reload finds everything in its place.
    private ReloadResult TryReload(ReadConfig read, string who)
    {
        try
        {
            return Reload(read);
        }
        catch (Exception e)
        {
            _log.ReloadBroke(who, e);
            return Failed($"a fault of the daemon: {e.Message}");
        }
    }

    private ReloadResult Reload(ReadConfig read)
    {
        ConfigFile file = read.File;
        if (file.Config is null)
        {
            return Failed([.. file.Errors]);
        }

        BalancerConfig config = FixedAtStart.Keep(_config, file.Config);
        string[] needsRestart = [.. ConfigDiff.Between(config, file.Config).Select(c => c.ToString())];
        IReadOnlyList<ConfigChange> changes = ConfigDiff.Between(_config, config);
        if (changes.Count == 0)
        {
            read.Apply();
            Reloaded?.Invoke(_config, _snapshot);
            return new ReloadResult(ReloadOutcome.Unchanged, _snapshot.Generation, changes, needsRestart, []);
        }

        if (!read.Lacking.IsEmpty)
        {
            return Failed([.. read.Lacking]);
        }

        DescriptorBudget budget = DescriptorBudget.For(config, _descriptorLimit);
        if (budget.WhyNot() is string noRoom)
        {
            return Failed(noRoom);
        }

        BackendOverrides overrides = _overrides.After(_config, config);
        Resolutions resolutions = _names.After(_snapshot.Resolutions, config);
        RoutingSnapshot before = _snapshot;
        RoutingSnapshot snapshot =
            RoutingSnapshot.Build(config, budget.ConnectionsFor(config.Balancer, _log), before, overrides, resolutions);
        IReadOnlyList<ListenFailure> failures = PutInForce(config, snapshot);
        if (failures.Count > 0)
        {
            return Failed([.. failures.Select(f => f.Message)]);
        }

        _overrides = overrides;
        _names.Follow(before, config, snapshot);
        read.Apply();
        Reloaded?.Invoke(config, snapshot);
        return new ReloadResult(ReloadOutcome.Applied, snapshot.Generation, changes, needsRestart, []);
    }

    // The engine is the only one that can refuse, so everybody else follows after it; but what is down must be known to it at once.
    private IReadOnlyList<ListenFailure> PutInForce(BalancerConfig config, RoutingSnapshot snapshot)
    {
        _health.Board.Mark(snapshot);
        _slowStarts.BeginNew(_snapshot, snapshot);
        _slowStarts.SetShares(snapshot);
        IReadOnlyList<ListenFailure> failures = _engine.Publish(snapshot);
        if (failures.Count == 0)
        {
            RoutingSnapshot before = _snapshot;
            _config = config;
            _snapshot = snapshot;
            _prober.Publish(snapshot);
            _health.Follow(snapshot);
            ReplanProbes(snapshot);
            _closings.Follow(before, snapshot);
        }

        StepSlowStarts();
        return failures;
    }

    private void PutNamesInForce()
    {
        RoutingSnapshot before = _snapshot;
        Resolutions now = _names.After(before.Resolutions, _config);
        if (now != before.Resolutions)
        {
            foreach (ListenFailure failure in PutInForce(_config, before.With(_config, _overrides, now)))
            {
                _log.NamesNotInForce(failure.Message);
            }
        }

        _names.Follow(before, _config, _snapshot);
        if (_snapshot != before)
        {
            HealthChanged?.Invoke();
        }
    }

    private void Take(ProbeReport report)
    {
        ProbePace before = report.Backend.Cell.Health.Pace;
        _health.Take(report);
        ReplanProbe(report.Backend.Cell, before);
    }

    private void Take(BackendCell backend, ConnectNews news)
    {
        ProbePace before = backend.Health.Pace;
        _health.Take(backend, news);
        ReplanProbe(backend, before);
    }

    // The engine takes connections before there is a control: what their connects told until then had no ear and is told only once. Of
    // whom nothing was told this says nothing either, and the next who fails too often is told.
    private void HearWhatWasSaid(RoutingSnapshot snapshot)
    {
        foreach (Backend backend in snapshot.Pools.SelectMany(p => p.Backends))
        {
            Take(backend.Cell, ConnectNews.Failing);
        }
    }

    // Who is probed from now on, or again, was given the pace that stood before the snapshot was followed.
    private void ReplanProbes(RoutingSnapshot snapshot)
    {
        foreach (Pool pool in snapshot.Pools.Where(p => p.Settings.Health.Type != HealthType.None))
        {
            foreach (Backend backend in pool.Backends.Where(b => b.Cell.Health.Pace != ProbePace.Steady))
            {
                _prober.Replan(backend.Cell);
            }
        }
    }

    // The next probe was planned before its report was heard.
    private void ReplanProbe(BackendCell backend, ProbePace before)
    {
        if (backend.Health.Pace != before)
        {
            _prober.Replan(backend);
        }
    }

    private void OnHealthChanged(Pool pool, Backend backend)
    {
        if (pool.HealthOf(backend.Index) == HealthState.Up)
        {
            _slowStarts.Begin(backend.Cell);
            StepSlowStarts();
        }

        if (Find(pool.Name, backend.Name) is ({ } now, { } member) && member.Cell == backend.Cell)
        {
            _closings.HealthChanged(now, member);
        }

        HealthChanged?.Invoke();
    }

    // The timer runs only while somebody's share grows.
    private void StepSlowStarts()
    {
        _slowStarts.Apply(_snapshot);
        if (_slowStarts.Any)
        {
            _slowStartTimer.Change(SlowStartStep, Timeout.InfiniteTimeSpan);
        }
    }

    private (Pool, Backend)? Find(string pool, string backend)
    {
        Pool? found = _snapshot.Pools.FirstOrDefault(p => p.Name == pool);
        Backend? member = found?.Backends.FirstOrDefault(b => b.Name == backend);
        return member is null ? null : (found!, member);
    }

    private ReloadResult Failed(params IReadOnlyList<string> errors) =>
        new(ReloadOutcome.Failed, _snapshot.Generation, [], [], errors);

    private void Tell(ReloadResult result, string who)
    {
        foreach (string error in result.Errors)
        {
            _log.ReloadError(error);
        }

        foreach (ConfigChange change in result.Changes)
        {
            _log.ReloadChange(change.ToString());
        }

        foreach (string kept in result.NeedsRestart)
        {
            _log.ReloadNeedsRestart(kept);
        }

        if (result.Outcome == ReloadOutcome.Failed)
        {
            _log.ReloadFailed(who, result.Errors.Count, result.Generation);
        }
        else
        {
            _log.Reloaded(who, result.Changes.Count, result.Generation);
        }
    }
}
