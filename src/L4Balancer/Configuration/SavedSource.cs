using System.Collections.Immutable;
using System.Text.Json.Serialization;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Discovery;

namespace L4Balancer.Configuration;

/// <summary>The backends that the source of a pool was believed to have, in the state file.</summary>
internal sealed record SavedSource(string Pool, ImmutableArray<SavedDiscovered> Backends)
{
    public static SavedSource Of(string pool, ImmutableArray<DiscoveredBackend> set) => new(pool, [.. set.Select(SavedDiscovered.Of)]);

    public bool Equals(SavedSource? other) => other is not null && Pool == other.Pool && Backends.AsSpan().SequenceEqual(other.Backends.AsSpan());

    public override int GetHashCode() => HashCode.Combine(Pool, Backends.Length);

    /// <returns>What is believed until the source has answered: nothing if one of the backends cannot be used.</returns>
    public Belief ToBelief()
    {
        DiscoveredBackend?[] set = Backends.IsDefault ? [] : [.. Backends.Select(static b => b?.ToBackend())];
        return Backends.IsDefault || set.Contains(null) ? Belief.Nothing : Belief.Of([.. set.OfType<DiscoveredBackend>()]);
    }
}

/// <param name="Address">An IP address with a port.</param>
internal sealed record SavedDiscovered(
    string Address, int Weight, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Name = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] bool Backup = false,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] int MaxConnections = 0,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? PublicUrl = null)
{
    public static SavedDiscovered Of(DiscoveredBackend backend) => new(
        backend.Address.ToString(), backend.Weight, TextOf(backend.Name), backend.Backup, backend.MaxConnections, TextOf(backend.PublicUrl));

    /// <returns>Null: it has no address.</returns>
    public DiscoveredBackend? ToBackend() => !Endpoint.TryParse(Address, out Endpoint address) ? null : new DiscoveredBackend(address)
    {
        Name = Name ?? "",
        Weight = Weight,
        Backup = Backup,
        MaxConnections = MaxConnections,
        PublicUrl = PublicUrl ?? "",
    };

    private static string? TextOf(string text) => text.Length > 0 ? text : null;
}
