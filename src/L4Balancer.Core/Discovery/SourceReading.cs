using System.Collections.Immutable;

namespace L4Balancer.Core.Discovery;

/// <summary>What a source of backends reports: all that it knows, or that it knows nothing at the moment. Immutable.</summary>
public abstract record SourceReading
{
    private SourceReading()
    {
    }

    /// <summary>The whole set of backends, read from the store at one point in time.</summary>
    /// <param name="Backends">May be empty.</param>
    /// <param name="Version">The store's own name for this state (a revision, an index), for logs and listings; empty if it has none.</param>
    public sealed record Complete(ImmutableArray<DiscoveredBackend> Backends, string Version) : SourceReading;

    /// <summary>The store cannot be read, or its content cannot be used. Changes nothing, however long it lasts.</summary>
    /// <param name="Why">In a few words, for operators.</param>
    public sealed record Unknown(string Why) : SourceReading;
}
