namespace L4Balancer.Fleet;

/// <summary>The keys of a fleet in etcd. Names and ids have no slash in them.</summary>
internal sealed class FleetKeys(string fleet)
{
    private const string Intents = "intent/";
    private const string Members = "members/";

    /// <summary>All keys of the fleet begin with it; also those of discovered backends, which others read.</summary>
    public string Prefix { get; } = $"/l4balancer/{fleet}/";

    /// <summary>
    /// Holds a random value that is made once: if it is gone or another one, the store has lost what it had, whether it was restored, made anew or
    /// emptied.
    /// </summary>
    public string Marker => Prefix + "store";

    public string Member(string id) => $"{Prefix}{Members}{id}";

    public string Intent(string pool, string backend) => $"{Prefix}{Intents}{pool}/{backend}";

    /// <returns>The id; null: another key.</returns>
    public string? MemberOf(string key) =>
        Rest(key, Members) is { Length: > 0 } id && !id.Contains('/', StringComparison.Ordinal) ? id : null;

    /// <returns>Null: another key.</returns>
    public (string Pool, string Backend)? IntentOf(string key) =>
        Rest(key, Intents)?.Split('/') is [{ Length: > 0 } pool, { Length: > 0 } backend] ? (pool, backend) : null;

    private string? Rest(string key, string kind) =>
        key.StartsWith(Prefix, StringComparison.Ordinal) && key.AsSpan(Prefix.Length).StartsWith(kind, StringComparison.Ordinal)
            ? key[(Prefix.Length + kind.Length)..] : null;
}
