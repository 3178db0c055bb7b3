using System.Runtime.InteropServices;
using L4Balancer.Configuration;
using L4Balancer.Control;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Routing;
using L4Balancer.Discovery;
using L4Balancer.Discovery.Sources;
using L4Balancer.Platform;
using L4Balancer.Resolving;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>
/// What a daemon has to know before it serves: the addresses of names, the backends that sources name, and what operators had set when the
/// process before ended. One thread at a time.
/// </summary>
/// <param name="control">The control plane once it exists; an answer that arrives before is read by it at its start.</param>
internal sealed class FirstState(Func<BalancerControl?> control, TimeProvider clock, ILoggerFactory loggers, ILogger log)
{
    private BackendNames? _names;
    private DiscoveryService? _discovery;

    /// <summary>Resolves host names; blocks and must not throw.</summary>
    public required Func<string, LookUp> Resolver { get; init; }

    /// <summary>What the process knew that this one replaces; null: it replaces none.</summary>
    public Preparation? Before { get; init; }

    /// <summary>What operators had set when a daemon crashed, given what is in the state file; null: no daemon did, or nothing is known.</summary>
    public Func<SavedState?, BackendOverrides?> Crashed { get; init; } = static _ => null;

    /// <summary>Valid after <see cref="GatherAsync"/>, as is <see cref="Discovery"/>.</summary>
    public BackendNames Names => _names!;

    public DiscoveryService Discovery => _discovery!;

    /// <summary>Where what operators set is written to; null: nowhere.</summary>
    public StateFile? StateFile { get; private set; }

    /// <summary>Asks name servers, sources and the state file, each within a bounded time.</summary>
    /// <param name="path">The file of the configuration; null if it was not read from a file.</param>
    /// <param name="parts">Own the resolver and the discovery from now on: created before the control plane, and disposed of after it.</param>
    /// <param name="hurry">Cancelled when a file that is read slowly is no longer to be waited for.</param>
    public async Task<DesiredState> GatherAsync(
        BalancerConfig config, DescriptorBudget budget, string? path, OwnedResources parts, CancellationToken hurry)
    {
        var names = new BackendNames(
            new NameResolver(Resolver, clock, () => control()?.NamesChanged()), clock, loggers.CreateLogger<BackendNames>());
        parts.Own(names);
        var discovery = new DiscoveryService(
            (pool, settings) => SourceFactory.Create(pool, settings, config.Fleet?.Name ?? DiscoverySettings.DefaultFleet, clock),
            () => control()?.DiscoveryChanged(), clock, loggers.CreateLogger<DiscoveryService>());
        parts.Own(discovery);
        (_names, _discovery) = (names, discovery);
        BackendOverrides overrides = await RestoreAsync(config, path, hurry);
        await Task.WhenAll(names.PrepareAsync(config), discovery.StartAsync(config, Before is null ? SavedBeliefs(config) : BeliefsOf(Before)));
        return new DesiredState(config, budget.ConnectionsFor(config.Balancer, log))
        {
            Names = names.After(Before?.Resolutions ?? Resolutions.None, config),
            Discovered = Discovered.None.After(config, discovery.Believed, names.OwnOf(config.Listeners)),
            Seed = Before?.Seed ?? UnknownSeed(),
            Overrides = (Before?.OverridesFor(config) ?? Crashed(StateFile?.Loaded))?.At(clock.GetUtcNow()) ?? overrides,
        };
    }

    // Clients must not know it. The system's generator fills a new GUID (RFC 9562, 5.4), of which each half has a few fixed bits where the other
    // has none; RandomNumberGenerator would load OpenSSL for eight bytes, which costs 4 MiB and a third of the start.
    private static ulong UnknownSeed()
    {
        Span<ulong> halves = stackalloc ulong[2];
        Guid.NewGuid().TryWriteBytes(MemoryMarshal.AsBytes(halves));
        return halves[0] ^ halves[1];
    }

    private static Dictionary<string, Belief> BeliefsOf(Preparation before) =>
        before.Believed.ToDictionary(static b => b.Pool, static b => Belief.Of(b.Set));

    private Dictionary<string, Belief>? SavedBeliefs(BalancerConfig config)
    {
        Dictionary<string, Belief>? beliefs = StateFile?.Loaded?.BeliefsFor(config);
        foreach ((string pool, Belief belief) in beliefs ?? [])
        {
            log.BeganWithSaved(pool, belief.Count);
        }

        return beliefs;
    }

    /// <summary>What operators had set when the process before this one ended.</summary>
    private async Task<BackendOverrides> RestoreAsync(BalancerConfig config, string? path, CancellationToken hurry)
    {
        if (path is null || StateFile.PathFor(config.Balancer, Environment.GetEnvironmentVariable) is not string statePath)
        {
            return BackendOverrides.None;
        }

        StateFile file = StateFile = new StateFile(statePath, log);
        try
        {
            BackendOverrides saved =
                await OwnThread.RunAsync("l4b-read-state", () => file.Load(config)).WaitAsync(ConfigSource.Within, clock, hurry);
            return saved.At(clock.GetUtcNow());
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            // What the file holds is not known, so it is not written over either.
            log.StateNotRead(statePath, ConfigSource.TooSlow, "its file system does not answer");
            StateFile = null;
            return BackendOverrides.None;
        }
    }
}
