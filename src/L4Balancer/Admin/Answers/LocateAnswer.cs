namespace L4Balancer.Admin.Answers;

/// <summary>Which backend a connection is sent to, and why.</summary>
/// <param name="Balance">The value of <c>balance</c>. Only <c>ring</c> and <c>maglev</c> choose by the connection.</param>
/// <param name="Backend">Null if no backend of the pool accepts connections, or the choice does not depend on a hash.</param>
/// <param name="HashKey">Empty if the choice does not depend on a hash.</param>
/// <param name="Hash">Hash of the tuple by the key, as 16 hexadecimal digits; null if the choice does not depend on a hash.</param>
/// <param name="RingBackends">Number of backends on the ring.</param>
/// <param name="LivingBackends">Number of them that accept connections now; null offline.</param>
/// <param name="Owner">
/// The backend that owns the hash if all backends are available and none is full; null if the choice does not depend on a hash.
/// </param>
/// <param name="Health">The state of the owner; <c>unknown</c> offline.</param>
/// <param name="Sticky">An entry of <c>[pools.sticky]</c> decided, whatever the balance would have picked; always false offline.</param>
/// <param name="Route">Number of the route that decided, or <c>default</c>; null if the listener has none.</param>
/// <param name="Rule">The conditions of the route; null if it has none.</param>
/// <param name="Key">The values of the named fields of <c>hash_key</c>; null if there are none, or one is missing.</param>
/// <param name="KeyMissing">The named fields of <c>hash_key</c> if one of them is missing, so that the whole tuple is hashed; else empty.</param>
internal sealed record LocateAnswer(
    string Listener, string Pool, string Balance, string? Backend, string? Address, string Source, string Destination, IReadOnlyList<string> HashKey,
    string? Hash, int RingBackends, int? LivingBackends, string? Owner, string Health, bool Sticky, string? Route,
    string? Rule, string? Key, IReadOnlyList<string> KeyMissing);
