using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;

namespace L4Balancer.Core.Routing;

/// <summary>
/// Finds the backends of a configuration at which the balancer would connect to itself, on this host and with the current answers of name
/// servers. What the file alone shows is an error of the file.
/// </summary>
public static class SelfConnects
{
    /// <param name="own">The listeners of the configuration.</param>
    /// <param name="answers">By host. A name with other addresses beside those of listeners is no fault: only the others are used.</param>
    /// <returns>One line for each such backend, with how to correct it.</returns>
    public static ImmutableArray<string> In(
        BalancerConfig config, OwnListeners own, IReadOnlyDictionary<string, NameAnswer> answers)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(own);
        ArgumentNullException.ThrowIfNull(answers);
        ImmutableArray<string>.Builder faults = ImmutableArray.CreateBuilder<string>();
        foreach (PoolSettings pool in config.Pools)
        {
            foreach (BackendSettings backend in pool.Backends)
            {
                if (ListenerReached(pool, backend, own, answers) is { } listener)
                {
                    faults.Add($"pool {pool.Name}: backend {backend.Name} ({backend.Address}), or the port of its probes, is {listener} of this daemon, "
                        + "which would connect to itself; specify the address of another server");
                }
            }
        }

        return faults.ToImmutable();
    }

    private static OwnListener? ListenerReached(
        PoolSettings pool, BackendSettings backend, OwnListeners own, IReadOnlyDictionary<string, NameAnswer> answers)
    {
        if (backend.Endpoint is { } endpoint)
        {
            return endpoint.IsUnix ? own.At(endpoint) : own.Reached(endpoint.Address, endpoint.Port, pool.Health);
        }

        OwnListener? found = null;
        foreach (HostAddress address in answers.GetValueOrDefault(backend.Host!.Value.Host)?.Addresses ?? [])
        {
            if (own.Reached(address, backend.Host.Value.Port, pool.Health) is not { } listener)
            {
                return null;
            }

            found = listener;
        }

        return found;
    }
}
