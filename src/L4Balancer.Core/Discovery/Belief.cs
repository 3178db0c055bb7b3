using System.Collections.Immutable;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Discovery;

/// <summary>
/// Which backends of a pool are believed, after all readings of its source so far. A reading that is <see cref="SourceReading.Unknown"/>
/// changes nothing, however long that lasts. A set that is empty, or that has less than half of the backends in use, is held: it is believed
/// only after a while, and when a second reading says so too. Immutable; pure.
/// </summary>
public sealed record Belief
{
    private Belief()
    {
    }

    /// <summary>There has been no reading.</summary>
    public static Belief Nothing { get; } = new();

    /// <summary>
    /// What a pool had before its source has said anything, as after a change of the source: what an earlier process believed, or the backends of
    /// the file.
    /// </summary>
    /// <returns><see cref="Nothing"/> if one of the backends cannot be used.</returns>
    public static Belief Of(ImmutableArray<DiscoveredBackend> set) =>
        BackendSet.WhyNot(set, int.MaxValue) is null ? new Belief { Set = BackendSet.Of(set) } : Nothing;

    /// <summary>The backends in use, in the order of their addresses; null until a set has been believed.</summary>
    public ImmutableArray<DiscoveredBackend>? Set { get; private init; }

    /// <summary>The store's name for the state that <see cref="Set"/> was read in; the latest one if it has not changed since.</summary>
    public string Version { get; private init; } = "";

    /// <summary>When the source was last known to be readable; null if it never was.</summary>
    public Instant? ReadAt { get; private init; }

    /// <summary>Why the latest reading says nothing; empty if it does.</summary>
    public string Fault { get; private init; } = "";

    /// <summary>A set that is not believed yet; null if there is none.</summary>
    public HeldSet? Held { get; private init; }

    /// <summary>How many readings said nothing.</summary>
    public long Faults { get; private init; }

    /// <summary>How many backends are in use.</summary>
    public int Count => Set?.Length ?? 0;

    /// <param name="now">When the reading arrived.</param>
    /// <param name="hold">How long a set is held, at least.</param>
    /// <param name="most">A larger set is not believed: it counts as unknown.</param>
    public Belief After(SourceReading reading, Instant now, TimeSpan hold, int most)
    {
        if (reading is not SourceReading.Complete complete)
        {
            return Unknown(((SourceReading.Unknown)reading).Why);
        }

        if (BackendSet.WhyNot(complete.Backends, most) is string why)
        {
            return Unknown(why);
        }

        ImmutableArray<DiscoveredBackend> set = BackendSet.Of(complete.Backends);
        return Set is { } inUse && BackendSet.WhyRenamed(inUse, set) is string renamed ? Unknown(renamed) : Known(set, complete.Version, now, hold);
    }

    /// <summary>What is believed when another source takes the place of this one: the same set, until the new source has answered.</summary>
    public Belief OfOtherSource() => new() { Set = Set, Version = Version, Faults = Faults };

    private Belief Unknown(string why) => this with { Fault = why, Faults = Faults + 1 };

    private Belief Known(ImmutableArray<DiscoveredBackend> set, string version, Instant now, TimeSpan hold)
    {
        Belief read = this with { ReadAt = now, Fault = "" };
        bool isSmall = set.IsEmpty ? Set is not { IsEmpty: true } : IsLessThanHalf(set, Count);

        // While a set is held, each that has fewer backends than are in use is held too: a fault that shrinks the set step by step, each time
        // by less than half, must not be believed for its steps.
        if (!isSmall && (Held is null || set.Length >= Count))
        {
            return read.Believing(set, version);
        }

        // One that has shrunk by more than half while it was held has yet to be confirmed itself.
        if (Held is null || IsLessThanHalf(set, Held.Set.Length))
        {
            return read with { Held = new HeldSet(set, version, now) };
        }

        return now - Held.Since >= hold ? read.Believing(set, version) : read with { Held = Held with { Set = set, Version = version } };
    }

    private Belief Believing(ImmutableArray<DiscoveredBackend> set, string version) =>
        this with { Set = Set is { } same && same.SequenceEqual(set) ? same : set, Version = version, Held = null };

    private static bool IsLessThanHalf(ImmutableArray<DiscoveredBackend> set, int of) => 2 * set.Length < of;
}

/// <summary>A set of backends that is too small to be believed at once.</summary>
/// <param name="Set">Of the latest reading.</param>
/// <param name="Since">When a set like it was first read.</param>
public sealed record HeldSet(ImmutableArray<DiscoveredBackend> Set, string Version, Instant Since);
