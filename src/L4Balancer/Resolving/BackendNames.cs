using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Platform;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Resolving;

/// <summary>Resolves the host names of backends continuously, and provides the addresses from which a snapshot is built.</summary>
/// <param name="resolver">Disposed together with this object.</param>
internal sealed class BackendNames(NameResolver resolver, TimeProvider clock, ILogger<BackendNames> log) : IDisposable
{
    /// <summary>Maximum time for which a start or a reload waits for new names.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly Dictionary<string, string> _faults = [];
    private HashSet<(string Pool, string Backend, HostAddress Address)> _ownReported = [];

    /// <summary>Whether this host has an address.</summary>
    public Func<HostAddress, bool> IsLocal { get; init; } = LocalAddresses.Has;

    public static IReadOnlySet<string> In(BalancerConfig config) => In(config.Pools);

    private static HashSet<string> In(IEnumerable<PoolSettings> pools) =>
        pools.SelectMany(p => p.Backends).Where(b => b.Host is not null).Select(b => b.Host!.Value.Host).ToHashSet();

    /// <summary>
    /// Resolves the names of a configuration that may be activated, and waits a limited time for new names. Known names are
    /// resolved again in the background.
    /// </summary>
    public async Task PrepareAsync(BalancerConfig config)
    {
        try
        {
            await resolver.AddAsync(In(config)).WaitAsync(Patience, clock);
        }
        catch (TimeoutException)
        {
            // The answers will be applied when they arrive; until then a backend without an address is down.
        }
    }

    /// <summary>The current addresses of the names in this configuration, without those at which the balancer would connect to itself.</summary>
    public Resolutions After(Resolutions before, BalancerConfig config) => before.After(config, resolver.Answers, OwnOf(config.Listeners));

    /// <summary>The backends of this configuration at which the balancer would connect to itself, one line each with how to correct it. Any thread.</summary>
    public ImmutableArray<string> SelfConnects(BalancerConfig config) =>
        Core.Routing.SelfConnects.In(config, OwnOf(config.Listeners), resolver.Answers);

    /// <summary>Forgets names that are not in this configuration, which is active while no other is being prepared.</summary>
    public void Keep(BalancerConfig config) => resolver.Keep(In(config));

    /// <summary>Logs which look-ups of the active configuration started to fail or succeed again.</summary>
    /// <param name="pools">All active pools.</param>
    public void Complain(IEnumerable<PoolSettings> pools)
    {
        HashSet<string> names = In(pools);
        IReadOnlyDictionary<string, NameAnswer> answers = resolver.Answers;
        foreach (string gone in _faults.Keys.Where(n => !names.Contains(n)).ToArray())
        {
            _faults.Remove(gone);
        }

        foreach ((string host, NameAnswer answer) in answers.Where(a => names.Contains(a.Key)))
        {
            string before = _faults.GetValueOrDefault(host, "");
            _faults[host] = answer.Fault;
            if (answer.Fault.Length > 0 && answer.Fault != before)
            {
                string stays = answer.Addresses.IsEmpty ? "none" : string.Join(", ", answer.Addresses);
                log.NameFails(host, answer.Fault, stays);
            }
            else if (answer.Fault.Length == 0 && before.Length > 0)
            {
                log.NameAnswers(host, string.Join(", ", answer.Addresses));
            }
        }
    }

    /// <summary>The listener that the name of a backend resolves to; null if there is none.</summary>
    public static OwnListener? OwnListenerOf(Pool pool, Backend backend, OwnListeners own, NameAnswer? answer) =>
        OwnAddresses(pool, backend, own, answer).Select(a => a.Listener).FirstOrDefault();

    /// <summary>The addresses that this host listens on with these listeners.</summary>
    public OwnListeners OwnOf(IEnumerable<ListenerSettings> listeners) => OwnListeners.Of(listeners, IsLocal);

    /// <summary>Logs which answers are not used because the balancer would connect to itself: each one once, until it disappears.</summary>
    public void ComplainOfOwn(IEnumerable<Pool> pools, OwnListeners own)
    {
        IReadOnlyDictionary<string, NameAnswer> answers = resolver.Answers;
        HashSet<(string, string, HostAddress)> found = [];
        foreach (Pool pool in pools)
        {
            foreach (Backend backend in pool.Backends.Where(b => b.Settings.Host is not null))
            {
                NameAnswer? answer = answers.GetValueOrDefault(backend.Settings.Host!.Value.Host);
                foreach ((HostAddress address, OwnListener listener) in OwnAddresses(pool, backend, own, answer))
                {
                    if (found.Add((pool.Name, backend.Name, address)) && !_ownReported.Contains((pool.Name, backend.Name, address)))
                    {
                        log.OwnAddressNotUsed(pool.Name, backend.Name, backend.Settings.Address, address.ToString(), listener.ToString());
                    }
                }
            }
        }

        _ownReported = found;
    }

    /// <summary>The latest answer for each name, without names that have no answer yet.</summary>
    public IReadOnlyDictionary<string, NameAnswer> Answers => resolver.Answers;

    public void Dispose() => resolver.Dispose();

    private static IEnumerable<(HostAddress Address, OwnListener Listener)> OwnAddresses(
        Pool pool, Backend backend, OwnListeners own, NameAnswer? answer)
    {
        foreach (HostAddress address in answer?.Addresses ?? [])
        {
            if (own.Reached(address, backend.Settings.Host!.Value.Port, pool.Settings.Health) is { } listener)
            {
                yield return (address, listener);
            }
        }
    }
}
