using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;

namespace L4Balancer.Core.Routing;

/// <summary>
/// The address that each host name among the backends resolves to, by pool, because pools differ in what they can reach. Immutable.
/// </summary>
public sealed class Resolutions
{
    private readonly ImmutableDictionary<(string Pool, string Host), HostAddress> _addresses;
    private readonly HostAddress? _everybody;

    private Resolutions(ImmutableDictionary<(string Pool, string Host), HostAddress> addresses, HostAddress? everybody = null)
    {
        _addresses = addresses;
        _everybody = everybody;
    }

    /// <summary>No name has an address.</summary>
    public static Resolutions None { get; } = new(ImmutableDictionary<(string Pool, string Host), HostAddress>.Empty);

    /// <summary>Every name has an address: for calculations without connections.</summary>
    public static Resolutions Assumed { get; } = new(ImmutableDictionary<(string Pool, string Host), HostAddress>.Empty, HostAddress.Any4);

    /// <summary>Null if there is none.</summary>
    public HostAddress? this[string pool, string host] =>
        _everybody ?? (_addresses.TryGetValue((pool, host), out HostAddress address) ? address : null);

    /// <summary>The resolutions of a configuration after these answers. Returns this object if nothing has changed.</summary>
    /// <param name="answers">By host; a host without an answer has no address.</param>
    public Resolutions After(BalancerConfig config, IReadOnlyDictionary<string, NameAnswer> answers)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(answers);
        var after = ImmutableDictionary.CreateBuilder<(string Pool, string Host), HostAddress>();
        foreach (PoolSettings pool in config.Pools)
        {
            foreach (BackendSettings backend in pool.Backends)
            {
                if (backend.Host is { } name && answers.TryGetValue(name.Host, out NameAnswer? answer)
                    && Choose(this[pool.Name, name.Host], answer.Addresses, pool) is { } chosen)
                {
                    after[(pool.Name, name.Host)] = chosen;
                }
            }
        }

        bool same = after.Count == _addresses.Count && after.All(a => _addresses.TryGetValue(a.Key, out HostAddress now) && now == a.Value);
        return same ? this : new Resolutions(after.ToImmutable());
    }

    /// <summary>Why a backend has no address, for an operator.</summary>
    public static string WhyNone(NameAnswer? answer) => answer switch
    {
        null => "name does not resolve: no answer yet",
        { Addresses.IsEmpty: true } => $"name does not resolve: {answer.Fault}",
        _ => $"name resolves to {string.Join(", ", answer.Addresses)}, and source_ips has no address of that family",
    };

    // Name servers rotate the order of their answers, so the order carries no meaning: IPv4 first, because a host without an IPv6 route
    // often has IPv6 addresses in DNS all the same, then the lowest; so all balancers with these answers use one address.
    private static HostAddress? Choose(HostAddress? current, ImmutableArray<HostAddress> answers, PoolSettings pool)
    {
        HostAddress? best = null;
        foreach (HostAddress answer in answers)
        {
            if (!pool.SourceIps.IsEmpty && !pool.SourceIps.Any(s => s.IsV4 == answer.IsV4))
            {
                continue;
            }

            if (answer == current)
            {
                return current;
            }

            if (best is not { } so || (answer.IsV4 == so.IsV4 ? answer < so : answer.IsV4))
            {
                best = answer;
            }
        }

        return best;
    }
}
