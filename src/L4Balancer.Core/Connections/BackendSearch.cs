using L4Balancer.Core.Ports;

namespace L4Balancer.Core.Connections;

/// <summary>
/// The larger part of a <see cref="ConnectionSetup"/>: which backends were tried, and from which sources. It is rented only when the pool
/// is decided on, so that a client that is still inspected costs no memory for it. One thread at a time.
/// </summary>
internal sealed class BackendSearch
{
    /// <summary>The most unused ones that a thread keeps, some 200 bytes each; further ones are left to the collector.</summary>
    private const int Kept = 4096;

    [ThreadStatic]
    private static Stack<BackendSearch>? _unused;

    public BackendWalk Backends;

    public SourceWalk Sources;

    /// <summary>Where the search of a source begins.</summary>
    public uint Turn;

    public static BackendSearch Rent(uint turn)
    {
        BackendSearch search = _unused is not null && _unused.TryPop(out BackendSearch? unused) ? unused : new BackendSearch();
        search.Turn = turn;
        return search;
    }

    /// <summary>Ends the use of this object. Its content is cleared, because it refers to a snapshot.</summary>
    public void Return()
    {
        Backends = default;
        Sources = default;
        Stack<BackendSearch> unused = _unused ??= new Stack<BackendSearch>();
        if (unused.Count < Kept)
        {
            unused.Push(this);
        }
    }
}
