using L4Balancer.Core.Routing;

namespace L4Balancer.Core.Fleet;

/// <summary>
/// Decides between what the fleet's store says of a backend and what was set on this balancer. Mode and weight are decided each for itself: the later
/// one holds. What was set here and is shared already counts only as long as the store has it.
/// </summary>
public static class IntentMerge
{
    /// <summary>What holds on this balancer.</summary>
    /// <param name="local">What holds until now.</param>
    /// <param name="shared">What the store has; null: nothing.</param>
    /// <param name="fileWeight">The weight of the backend in this balancer's file; null: the file does not have it, but a source.</param>
    public static BackendOverride Over(BackendOverride local, FleetIntent? shared, int? fileWeight, DateTimeOffset now)
    {
        BackendOverride merged = default;
        merged = IsOurs(local.ModeOrigin, shared?.Mode?.Origin)
            ? merged with { Mode = local.Mode, ModeOrigin = local.ModeOrigin }
            : shared?.Mode is { Mode: not BackendMode.Ready } mode
                ? merged with { Mode = mode.Mode, ModeOrigin = mode.Origin with { IsShared = true } } : merged;
        merged = IsOurs(local.WeightOrigin, shared?.Weight?.Origin)
            ? merged with { Weight = local.Weight, WeightOrigin = local.WeightOrigin }
            : shared?.Weight is { } weight && weight.Weight != weight.FileWeight && (fileWeight is null || weight.FileWeight == fileWeight)
                ? merged with { Weight = weight.Weight, WeightOrigin = weight.Origin with { IsShared = true } } : merged;
        return merged.At(now);
    }

    /// <summary>What has to be written so that the others know what was set here.</summary>
    /// <returns>Null: the store has everything, or something later.</returns>
    public static FleetIntent? ToShare(BackendOverride local, FleetIntent? shared, int fileWeight)
    {
        bool mode = IsOurs(local.ModeOrigin, shared?.Mode?.Origin);
        bool weight = IsOurs(local.WeightOrigin, shared?.Weight?.Origin);
        return mode || weight
            ? new FleetIntent(
                mode ? new ModeIntent(local.Mode, local.ModeOrigin!) : shared?.Mode,
                weight ? new WeightIntent(local.Weight ?? fileWeight, fileWeight, local.WeightOrigin!) : shared?.Weight)
            : null;
    }

    /// <summary>Whether anything that was set here is not in the store yet.</summary>
    public static bool IsPending(BackendOverride local) =>
        local.ModeOrigin is { IsShared: false } || local.WeightOrigin is { IsShared: false };

    /// <summary>
    /// The same values, to be shared again: the store has lost what it had. What nobody is known to have set counts as set at that moment.
    /// </summary>
    public static BackendOverride Unshared(BackendOverride local, string who, DateTimeOffset now)
    {
        var unknown = new OverrideOrigin(who, OverrideOrigin.After(null, now), null);
        return local with
        {
            ModeOrigin = local.Mode != BackendMode.Ready ? (local.ModeOrigin ?? unknown) with { IsShared = false } : local.ModeOrigin,
            WeightOrigin = local.Weight is not null ? (local.WeightOrigin ?? unknown) with { IsShared = false } : local.WeightOrigin,
        };
    }

    // The same time is the same setting: it has arrived.
    private static bool IsOurs(OverrideOrigin? local, OverrideOrigin? shared) =>
        local is { IsShared: false } && (shared is null || local.At > shared.At);
}
