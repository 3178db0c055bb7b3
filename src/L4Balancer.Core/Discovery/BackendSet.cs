using System.Collections.Immutable;
using System.Globalization;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;

namespace L4Balancer.Core.Discovery;

/// <summary>The set of backends of one reading: whether it can be used, and its one form, whatever order the store answers in.</summary>
internal static class BackendSet
{
    private const int MaxWeight = 1000;

    /// <summary>Why the set cannot be used; null if it can. One backend that cannot be used makes the whole set unusable: it may be half written.</summary>
    /// <param name="most">The largest number of backends.</param>
    public static string? WhyNot(ImmutableArray<DiscoveredBackend> backends, int most)
    {
        if (backends.IsDefault)
        {
            return "the source has given no set";
        }

        if (backends.Length > most)
        {
            return string.Create(CultureInfo.InvariantCulture, $"{backends.Length} backends, and at most {most} fit in the pool");
        }

        foreach (DiscoveredBackend backend in backends)
        {
            if (WhyNot(backend) is string why)
            {
                return $"backend {backend.Address}: {why}";
            }
        }

        return null;
    }

    /// <summary>
    /// In the order of the addresses, each address once: of several with one address, that whose name comes first, else a primary, else the heaviest.
    /// </summary>
    public static ImmutableArray<DiscoveredBackend> Of(ImmutableArray<DiscoveredBackend> backends)
    {
        ImmutableArray<DiscoveredBackend>.Builder set = ImmutableArray.CreateBuilder<DiscoveredBackend>(backends.Length);
        foreach (DiscoveredBackend backend in backends
            .OrderBy(static b => b.Address.Address).ThenBy(static b => b.Address.Port).ThenBy(static b => b.Name, StringComparer.Ordinal)
            .ThenBy(static b => b.Backup).ThenByDescending(static b => b.Weight).ThenBy(static b => b.MaxConnections)
            .ThenBy(static b => b.PublicUrl, StringComparer.Ordinal))
        {
            if (set.Count == 0 || set[^1].Address != backend.Address)
            {
                // A name that no command or label could take: the address stands for it.
                set.Add(BackendSettings.IsName(backend.Name) ? backend : backend with { Name = "" });
            }
        }

        return set.ToImmutable();
    }

    /// <summary>
    /// Of several backends with one name the first has it. Why a set cannot follow another one: it would take the name from a backend in use, which
    /// would be another backend to operators then, with other counters, and its connections those of one that has left. Null if it does not.
    /// </summary>
    public static string? WhyRenamed(ImmutableArray<DiscoveredBackend> inUse, ImmutableArray<DiscoveredBackend> set)
    {
        Dictionary<string, Endpoint> before = Named(inUse);
        foreach ((string name, Endpoint address) in Named(set))
        {
            if (before.TryGetValue(name, out Endpoint had) && had != address && set.Any(b => b.Address == had && b.Name == name))
            {
                return $"{address} has the name {name} of {had}, which is in use";
            }
        }

        return null;
    }

    private static Dictionary<string, Endpoint> Named(ImmutableArray<DiscoveredBackend> set)
    {
        Dictionary<string, Endpoint> named = [];
        foreach (DiscoveredBackend backend in set.Where(static b => b.Name.Length > 0))
        {
            named.TryAdd(backend.Name, backend.Address);
        }

        return named;
    }

    private static string? WhyNot(DiscoveredBackend backend) =>
        backend.Address.IsUnix || backend.Address.Port == 0 || backend.Address.Address.IsAny ? "cannot be connected to"
        : backend.Address.Address.IsLinkLocal6 ? "a link-local address needs its interface, which is not supported"
        : backend.Weight is < 0 or > MaxWeight ? string.Create(CultureInfo.InvariantCulture, $"the weight {backend.Weight} is not one of 0 to {MaxWeight}")
        : backend.MaxConnections < 0 ? "max_connections is negative"
        : backend.PublicUrl.Length > 0 && !BackendUrl.IsValid(backend.PublicUrl) ? $"the public_url is not {BackendUrl.Form}"
        : null;
}
