using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;

namespace L4Balancer.Core.Routing;

/// <summary>
/// The backends that the sources of <c>[pools.discovery]</c> are believed to have, merged with those of the file: a pool's settings as if all
/// of them stood in the file. Immutable.
/// </summary>
public sealed class Discovered
{
    private readonly ImmutableDictionary<string, Merged> _pools;

    private Discovered(ImmutableDictionary<string, Merged> pools) => _pools = pools;

    /// <summary>No source has been believed.</summary>
    public static Discovered None { get; } = new(ImmutableDictionary<string, Merged>.Empty);

    /// <summary>The backends that are not used, and why.</summary>
    public IEnumerable<RefusedBackend> Refused => _pools.Values.SelectMany(static p => p.Refused);

    /// <summary>The sets that are believed, by pool, with what is refused of them.</summary>
    public IEnumerable<(string Pool, ImmutableArray<DiscoveredBackend> Set)> Sets => _pools.Select(static p => (p.Key, p.Value.Set));

    /// <summary>The settings with the backends that were discovered; the same object if there are none.</summary>
    public PoolSettings Of(PoolSettings file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return _pools.TryGetValue(file.Name, out Merged? merged) && ReferenceEquals(merged.File, file) ? merged.Settings : file;
    }

    /// <summary>What is discovered for a configuration. Returns this object if nothing has changed.</summary>
    /// <param name="believed">By pool; a pool that is missing has no set yet.</param>
    /// <param name="own">The listeners of the configuration: an address at which the balancer would connect to itself is not used.</param>
    public Discovered After(
        BalancerConfig config, IReadOnlyDictionary<string, ImmutableArray<DiscoveredBackend>> believed, OwnListeners own)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(believed);
        ArgumentNullException.ThrowIfNull(own);
        var pools = ImmutableDictionary.CreateBuilder<string, Merged>();
        bool same = true;
        foreach (PoolSettings pool in config.Pools.Where(static p => p.Discovery is not null))
        {
            if (believed.TryGetValue(pool.Name, out ImmutableArray<DiscoveredBackend> set))
            {
                Merged merged = _pools.TryGetValue(pool.Name, out Merged? before) && before.IsOf(pool, set, own) ? before : Merged.Make(pool, set, own);
                same &= merged == before;
                pools.Add(pool.Name, merged);
            }
        }

        return same && pools.Count == _pools.Count ? this : new Discovered(pools.ToImmutable());
    }

    /// <summary>One pool.</summary>
    private sealed class Merged
    {
        private Merged(PoolSettings file, ImmutableArray<DiscoveredBackend> set, PoolSettings settings, ImmutableArray<RefusedBackend> refused)
        {
            File = file;
            Set = set;
            Settings = settings;
            Refused = refused;
        }

        public PoolSettings File { get; }

        public ImmutableArray<DiscoveredBackend> Set { get; }

        public PoolSettings Settings { get; }

        public ImmutableArray<RefusedBackend> Refused { get; }

        public bool IsOf(PoolSettings file, ImmutableArray<DiscoveredBackend> set, OwnListeners own) =>
            ReferenceEquals(File, file) && Set == set && RefusedOf(file, set, own).SequenceEqual(Refused);

        public static Merged Make(PoolSettings file, ImmutableArray<DiscoveredBackend> set, OwnListeners own)
        {
            ImmutableArray<RefusedBackend> refused = [.. RefusedOf(file, set, own)];
            HashSet<Endpoint> taken = [.. refused.Select(static r => r.Address), .. file.Backends.Select(static b => b.Endpoint).OfType<Endpoint>()];
            HashSet<string> names = [.. file.Backends.Select(static b => b.Name)];
            ImmutableArray<BackendSettings> found = [.. set.Where(b => !taken.Contains(b.Address)).Select(b => SettingsOf(b, names))];
            return new Merged(file, set, file with { Backends = [.. file.Backends, .. found] }, refused);
        }

        // The set is in the order of the addresses: of two with one name the lower address has it on every balancer. No name that a source
        // gives looks like an address, which has a colon.
        private static BackendSettings SettingsOf(DiscoveredBackend backend, HashSet<string> names)
        {
            string address = backend.Address.ToString();
            return new BackendSettings
            {
                Name = backend.Name.Length > 0 && names.Add(backend.Name) ? backend.Name : address,
                Address = address,
                Endpoint = backend.Address,
                Weight = backend.Weight,
                Backup = backend.Backup,
                MaxConnections = backend.MaxConnections,
                PublicUrl = backend.PublicUrl,
            };
        }

        private static IEnumerable<RefusedBackend> RefusedOf(PoolSettings pool, ImmutableArray<DiscoveredBackend> set, OwnListeners own) =>
            from backend in set
            let why = WhyNot(pool, backend.Address, own)
            where why is not null
            select new RefusedBackend(pool.Name, backend.Address, why);

        private static string? WhyNot(PoolSettings pool, Endpoint address, OwnListeners own) =>
            own.Reached(address.Address, address.Port, pool.Health) is { } listener ? $"it, or the port of its probes, is {listener} of this daemon"
            : !pool.SourceIps.IsEmpty && !pool.SourceIps.Any(s => s.IsV4 == address.Address.IsV4) ? "source_ips has no address of its family"
            : null;
    }
}

/// <summary>A backend that a source has and that is not used.</summary>
public sealed record RefusedBackend(string Pool, Endpoint Address, string Why);
