using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;

namespace L4Balancer.Core.Direct;

/// <summary>What a client asks for: an endpoint of a pool, so the URL of a backend to which it connects directly.</summary>
/// <param name="Key">In place of the value of the only named field of <c>hash_key</c>, else of the whole key; null: any backend.</param>
/// <param name="Excluded">Backends that have just failed the client: <c>NAME</c> or <c>POOL/NAME</c>. Unknown ones have no effect.</param>
/// <param name="Client">The address of the client, which may be a part of the key; undefined without one.</param>
public sealed record HandOutAsk(string? Key, ImmutableArray<string> Excluded, HostAddress Client)
{
    internal bool Excludes(string pool, string backend)
    {
        foreach (string excluded in Excluded)
        {
            if (excluded == backend
                || (excluded.Length == pool.Length + 1 + backend.Length && excluded[pool.Length] == '/'
                    && excluded.StartsWith(pool, StringComparison.Ordinal) && excluded.EndsWith(backend, StringComparison.Ordinal)))
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>The backends that a client is handed.</summary>
/// <param name="Backend">Null if <paramref name="Fault"/> says why.</param>
/// <param name="Alternates">At most two others, the better one first, for a client that does not reach the backend.</param>
public sealed record HandOut(Backend? Backend, ImmutableArray<Backend> Alternates, HandOutFault Fault)
{
    /// <summary>Whether it was chosen otherwise than in turn by the shares: by key, or to even out the load.</summary>
    internal bool IsUneven { get; init; }

    internal static HandOut Failed(HandOutFault fault) => new(null, [], fault);
}

/// <summary>Why no endpoint is handed out.</summary>
public enum HandOutFault
{
    None,

    /// <summary>No backend of the pool with a <c>public_url</c> lives, has room and is not excluded.</summary>
    NoBackend,

    /// <summary>Backends live, but <c>new_connection_rate</c> is used up at those that could be chosen.</summary>
    Rate,

    /// <summary>A key was given, and the pool does not choose by key.</summary>
    NotByKey,
}
