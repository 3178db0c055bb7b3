using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;

namespace L4Balancer.Core.Routing;

/// <summary>
/// The addresses that each host name among the backends resolves to, and the one in use. By pool, because pools differ in what they can
/// reach, and by port, because on a host with several addresses one service may listen on one of them and another on another. Immutable.
/// </summary>
public sealed class Resolutions
{
    private readonly ImmutableDictionary<(string Pool, HostName Name), NameAddresses> _addresses;
    private readonly NameAddresses? _everybody;

    private Resolutions(ImmutableDictionary<(string Pool, HostName Name), NameAddresses> addresses, NameAddresses? everybody = null)
    {
        _addresses = addresses;
        _everybody = everybody;
    }

    /// <summary>No name has an address.</summary>
    public static Resolutions None { get; } = new(ImmutableDictionary<(string Pool, HostName Name), NameAddresses>.Empty);

    /// <summary>Every name has an address: for calculations without connections.</summary>
    public static Resolutions Assumed { get; } = new(None._addresses, new NameAddresses(HostAddress.Any4, []));

    /// <summary>Those of another process, which hold until the first look-up of this one has ended.</summary>
    public static Resolutions Of(IEnumerable<(string Pool, HostName Name, NameAddresses Addresses)> known)
    {
        ArgumentNullException.ThrowIfNull(known);
        var addresses = ImmutableDictionary.CreateBuilder<(string Pool, HostName Name), NameAddresses>();
        foreach ((string pool, HostName name, NameAddresses found) in known)
        {
            addresses[(pool, name)] = found;
        }

        return new Resolutions(addresses.ToImmutable());
    }

    /// <summary>Every name that has an address, in no particular order.</summary>
    public IEnumerable<(string Pool, HostName Name, NameAddresses Addresses)> All =>
        _addresses.Select(static a => (a.Key.Pool, a.Key.Name, a.Value));

    /// <summary>Null if there is none.</summary>
    public NameAddresses? this[string pool, HostName name] => _everybody ?? _addresses.GetValueOrDefault((pool, name));

    /// <summary>The resolutions of a configuration after these answers. Returns this object if nothing has changed.</summary>
    /// <param name="answers">By host; a host without an answer has no address.</param>
    /// <param name="own">The listeners of the configuration: an address at which the balancer would connect to itself is not used.</param>
    public Resolutions After(BalancerConfig config, IReadOnlyDictionary<string, NameAnswer> answers, OwnListeners? own = null)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(answers);
        var after = ImmutableDictionary.CreateBuilder<(string Pool, HostName Name), NameAddresses>();
        foreach (PoolSettings pool in config.Pools)
        {
            foreach (BackendSettings backend in pool.Backends)
            {
                if (backend.Host is { } name && answers.TryGetValue(name.Host, out NameAnswer? answer)
                    && NameAddresses.Of(Usable(answer.Addresses, pool, name, own), this[pool.Name, name]?.Current) is { } chosen)
                {
                    after[(pool.Name, name)] = chosen;
                }
            }
        }

        bool same = after.Count == _addresses.Count
            && after.All(a => _addresses.TryGetValue(a.Key, out NameAddresses? now) && now.HasSameValues(a.Value));
        return same ? this : new Resolutions(after.ToImmutable());
    }

    /// <summary>The resolutions with another address of a name in use.</summary>
    /// <returns>This object if the address is not, or no longer, one of the name's other addresses.</returns>
    public Resolutions With(string pool, HostName name, HostAddress address) =>
        _addresses.TryGetValue((pool, name), out NameAddresses? now) && now.Others.Contains(address)
            ? new Resolutions(_addresses.SetItem((pool, name), NameAddresses.Of([now.Current, .. now.Others], address)!)) : this;

    /// <summary>Why a backend has no address, for an operator.</summary>
    /// <param name="own">The listener of this daemon that the name resolves to; null if it resolves to none.</param>
    public static string WhyNone(NameAnswer? answer, OwnListener? own = null) => answer switch
    {
        null => "name does not resolve: no answer yet",
        { Addresses.IsEmpty: true } => $"name does not resolve: {answer.Fault}",
        _ when own is not null => $"name resolves to {string.Join(", ", answer.Addresses)}, which is {own} of this daemon",
        _ => $"name resolves to {string.Join(", ", answer.Addresses)}, and source_ips has no address of that family",
    };

    private static IEnumerable<HostAddress> Usable(
        ImmutableArray<HostAddress> answers, PoolSettings pool, HostName name, OwnListeners? own) =>
        answers.Where(a => (pool.SourceIps.IsEmpty || pool.SourceIps.Any(s => s.IsV4 == a.IsV4))
            && own?.Reached(a, name.Port, pool.Health) is null);
}

/// <summary>The addresses of a host name.</summary>
/// <param name="Current">The one in use.</param>
/// <param name="Others">In the order in which they are tried if the current one fails.</param>
public sealed record NameAddresses(HostAddress Current, ImmutableArray<HostAddress> Others)
{
    // Name servers rotate the order of their answers, so the order carries no meaning: IPv4 first, because a host without an IPv6 route
    // often has IPv6 addresses in DNS all the same, then the lowest; so all balancers with these answers use one address. The current
    // address stays while it is among them; the others follow in this order, those before the current one last.
    internal static NameAddresses? Of(IEnumerable<HostAddress> usable, HostAddress? current)
    {
        HostAddress[] ordered = [.. usable.Distinct().OrderBy(a => !a.IsV4).ThenBy(a => a)];
        int at = current is { } used ? Math.Max(0, Array.IndexOf(ordered, used)) : 0;
        return ordered.Length == 0 ? null : new NameAddresses(ordered[at], [.. ordered[(at + 1)..], .. ordered[..at]]);
    }

    internal bool HasSameValues(NameAddresses other) => Current == other.Current && Others.SequenceEqual(other.Others);
}
