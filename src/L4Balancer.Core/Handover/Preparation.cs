using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Handover;

/// <summary>
/// What a process has to know of the one that it replaces before it builds anything: what operators have set, where names and sources have led,
/// and how the backends are. It goes over before the counters (<see cref="BalancerImage"/>), while the other process still serves. Immutable.
/// </summary>
public sealed partial record Preparation
{
    /// <summary>As <see cref="DesiredState.Seed"/>: the clients of a key stay together, and the tables of both processes agree.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Of the configuration in force; one more if the new process has another.</summary>
    public required long Generation { get; init; }

    /// <summary>With who set them, when, and until when.</summary>
    public ImmutableArray<SavedOverride> Overrides { get; init; } = [];

    /// <summary>The addresses that host names resolve to, by pool.</summary>
    public ImmutableArray<(string Pool, HostName Name, NameAddresses Addresses)> Names { get; init; } = [];

    /// <summary>The sets of the sources, by pool.</summary>
    public ImmutableArray<(string Pool, ImmutableArray<DiscoveredBackend> Set)> Believed { get; init; } = [];

    public ImmutableArray<CarriedHealth> Health { get; init; } = [];

    /// <summary>When the backends in slow start began it.</summary>
    public ImmutableArray<(string Pool, string Backend, Instant Since)> SlowStarts { get; init; } = [];

    /// <param name="believed">As <see cref="Discovered.After"/> takes it.</param>
    public static Preparation Of(
        DesiredState desired, IEnumerable<KeyValuePair<string, ImmutableArray<DiscoveredBackend>>> believed, IEnumerable<CarriedHealth> health,
        IEnumerable<(string Pool, string Backend, Instant Since)> slowStarts)
    {
        ArgumentNullException.ThrowIfNull(desired);
        ArgumentNullException.ThrowIfNull(believed);
        return new Preparation
        {
            Seed = desired.Seed,
            Generation = desired.Generation,
            Overrides = [.. desired.Overrides.Saved(desired.File)],
            Names = [.. desired.Names.All],
            Believed = [.. believed.Select(static b => (b.Key, b.Value))],
            Health = [.. health],
            SlowStarts = [.. slowStarts],
        };
    }

    /// <summary>What operators have set, as far as it holds under the configuration of this process.</summary>
    public BackendOverrides OverridesFor(BalancerConfig config) => BackendOverrides.Of(Overrides, config);

    /// <summary>The addresses of names until the first look-ups of this process have ended.</summary>
    public Resolutions Resolutions => Resolutions.Of(Names);
}
