using System.Collections.Concurrent;
using System.Collections.Immutable;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Core.Timing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Discovery;

/// <summary>
/// Watches the sources of all pools with <c>[pools.discovery]</c>, and provides the sets that are believed. Any thread may read; <see
/// cref="Follow"/> is called by one thread at a time.
/// </summary>
/// <param name="create">Makes the source of a pool.</param>
/// <param name="changed">Called on any thread when another set is believed; returns at once.</param>
internal sealed class DiscoveryService(
    Func<string, DiscoverySettings, IBackendSource> create, Action changed, TimeProvider clock, ILogger log) : IAsyncDisposable, ICarriedCounters
{
    /// <summary>How long a start waits for the first readings.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private static readonly IReadOnlyDictionary<string, Belief> NothingBefore = ImmutableDictionary<string, Belief>.Empty;

    private readonly List<Task> _ending = [];

    // Of the processes before this one, by pool.
    private readonly ConcurrentDictionary<string, long> _faultsBefore = new();
    private volatile ImmutableDictionary<string, PoolWatch> _watches = ImmutableDictionary<string, PoolWatch>.Empty;

    /// <summary>By pool; a pool without a set that is believed is missing.</summary>
    public IReadOnlyDictionary<string, ImmutableArray<DiscoveredBackend>> Believed =>
        _watches.Values.Where(static w => w.Belief.Set is not null).ToDictionary(static w => w.Pool, static w => w.Belief.Set!.Value);

    /// <summary>What is known of the source of a pool; null if it has none.</summary>
    public DiscoveryStatus? Of(string pool) =>
        _watches.TryGetValue(pool, out PoolWatch? watch) ? new DiscoveryStatus(watch.Source, watch.Belief, watch.Since, FaultsOf(watch)) : null;

    public string CarriedName => "discovery";

    public void WriteTo(CounterSheet sheet)
    {
        ArgumentNullException.ThrowIfNull(sheet);
        foreach ((string pool, long faults) in _faultsBefore)
        {
            sheet[pool] = faults;
        }

        foreach (PoolWatch watch in _watches.Values)
        {
            sheet[watch.Pool] = FaultsOf(watch);
        }
    }

    public void Add(CounterSheet counted)
    {
        ArgumentNullException.ThrowIfNull(counted);
        foreach ((string pool, long faults) in counted.Values)
        {
            _faultsBefore.AddOrUpdate(pool, faults, (_, before) => before + faults);
        }
    }

    private long FaultsOf(PoolWatch watch) => watch.Belief.Faults + _faultsBefore.GetValueOrDefault(watch.Pool);

    /// <summary>Begins to watch, and waits a limited time until each source has said something.</summary>
    /// <param name="before">
    /// What was believed before this process, by pool: it is in use until the source has said something, to which the rule applies.
    /// </param>
    public async Task StartAsync(BalancerConfig config, IReadOnlyDictionary<string, Belief>? before = null)
    {
        Follow(config, before);
        try
        {
            await Task.WhenAll(_watches.Values.Select(static w => w.First)).WaitAsync(Patience, clock);
        }
        catch (TimeoutException)
        {
            // What they say later is applied then.
        }
    }

    /// <summary>
    /// Watches the sources of this configuration, which is in force. One whose settings have not changed keeps its watch; one that has changed
    /// begins with the set of the one before.
    /// </summary>
    /// <param name="inUse">
    /// What pools had before they got a source, or before it has said anything, by pool: it is in use until it does, and the rule applies to that.
    /// </param>
    public void Follow(BalancerConfig config, IReadOnlyDictionary<string, Belief>? inUse = null)
    {
        inUse ??= NothingBefore;
        var next = ImmutableDictionary.CreateBuilder<string, PoolWatch>();
        List<PoolWatch> started = [];
        foreach (PoolSettings pool in config.Pools)
        {
            if (pool.Discovery is not { } settings)
            {
                continue;
            }

            PoolWatch? known = _watches.GetValueOrDefault(pool.Name);
            bool stays = known is not null && known.Settings.HasSameValues(settings) && (known.Belief.Set is not null || !inUse.ContainsKey(pool.Name));
            PoolWatch watch = stays ? known! : Create(pool.Name, settings, BeforeOf(pool, known, inUse));
            watch.Most = PoolSettings.MostBackends - pool.Backends.Length;
            next.Add(pool.Name, watch);
            if (watch != known)
            {
                started.Add(watch);
            }
        }

        ImmutableDictionary<string, PoolWatch> before = _watches;
        _watches = next.ToImmutable();
        started.ForEach(static w => w.Start());
        _ending.RemoveAll(static t => t.IsCompleted);
        _ending.AddRange(before.Values.Where(w => next.GetValueOrDefault(w.Pool) != w).Select(static w => w.DisposeAsync().AsTask()));
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll([.. _ending, .. _watches.Values.Select(static w => w.DisposeAsync().AsTask())]);
        _watches = ImmutableDictionary<string, PoolWatch>.Empty;
    }

    private static Belief BeforeOf(PoolSettings pool, PoolWatch? known, IReadOnlyDictionary<string, Belief> inUse) =>
        known is { Belief: { Set: not null } belief } ? belief.OfOtherSource()
        : inUse.GetValueOrDefault(pool.Name) is { } before && before.Count <= PoolSettings.MostBackends - pool.Backends.Length ? before
        : Belief.Nothing;

    private PoolWatch Create(string pool, DiscoverySettings settings, Belief before) => new(
        pool, settings, before, () => create(pool, settings), changed, clock, log);
}

/// <summary>What is known of the source of one pool.</summary>
/// <param name="Source">Its kind, as its key is written.</param>
/// <param name="Since">When its watch began.</param>
/// <param name="Faults">How many readings said nothing, those of the processes before this one included.</param>
internal sealed record DiscoveryStatus(string Source, Belief Belief, Instant Since, long Faults)
{
    /// <summary>How long ago the source was last known to be readable; the age of its watch if it never was.</summary>
    public TimeSpan Age(Instant now) => now - (Belief.ReadAt ?? Since);
}
