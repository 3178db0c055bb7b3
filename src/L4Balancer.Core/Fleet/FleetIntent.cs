using L4Balancer.Core.Routing;

namespace L4Balancer.Core.Fleet;

/// <summary>What operators want of one backend, on every balancer of the fleet. Immutable.</summary>
/// <param name="Mode">Null: none is set. Ready is kept for a day, so that an older wish that was not shared in time is known to be older.</param>
/// <param name="Weight">Null: none is set.</param>
public sealed record FleetIntent(ModeIntent? Mode, WeightIntent? Weight)
{
    /// <summary>How long a value that lifts another one is kept: far longer than a store is away.</summary>
    private static readonly TimeSpan Kept = TimeSpan.FromDays(1);

    /// <summary>Whether nothing of it holds any longer, so that its key may be removed.</summary>
    public bool IsSpent(DateTimeOffset now) =>
        (Mode is null || Mode.Origin.HasEnded(now) || (Mode.Mode == BackendMode.Ready && IsOld(Mode.Origin, now)))
        && (Weight is null || Weight.Origin.HasEnded(now) || (Weight.Weight == Weight.FileWeight && IsOld(Weight.Origin, now)));

    private static bool IsOld(OverrideOrigin origin, DateTimeOffset now) => now - origin.At > Kept;
}

/// <summary>A mode, and who wants it.</summary>
public sealed record ModeIntent(BackendMode Mode, OverrideOrigin Origin);

/// <summary>A weight, and who wants it.</summary>
/// <param name="FileWeight">The weight of the file where it was set: it holds where the file still has that one, as over a reload.</param>
public sealed record WeightIntent(int Weight, int FileWeight, OverrideOrigin Origin);
