namespace L4Balancer.Core.Routing;

/// <summary>Values that an operator set for one backend at run time; they take precedence over the file.</summary>
/// <param name="Weight">Null: the file's weight applies.</param>
public readonly record struct BackendOverride(BackendMode Mode, int? Weight)
{
    /// <summary>Who set the mode; null if nothing is known, or nothing is set. With <see cref="BackendMode.Ready"/>: what lifts another mode, and is not shared yet.</summary>
    public OverrideOrigin? ModeOrigin { get; init; }

    /// <summary>As <see cref="ModeOrigin"/>, for the weight.</summary>
    public OverrideOrigin? WeightOrigin { get; init; }

    /// <summary>Nothing is set.</summary>
    public bool IsEmpty => Mode == BackendMode.Ready && Weight is null && ModeOrigin is null && WeightOrigin is null;

    /// <summary>When the first of the two ends by itself; null: never.</summary>
    public DateTimeOffset? Ends =>
        ModeOrigin?.Until is { } mode && WeightOrigin?.Until is { } weight ? (mode < weight ? mode : weight) : ModeOrigin?.Until ?? WeightOrigin?.Until;

    /// <summary>What is left once what has ended is lifted.</summary>
    public BackendOverride At(DateTimeOffset now)
    {
        BackendOverride left = this;
        if (ModeOrigin?.HasEnded(now) == true)
        {
            left = left with { Mode = BackendMode.Ready, ModeOrigin = null };
        }

        return WeightOrigin?.HasEnded(now) == true ? left with { Weight = null, WeightOrigin = null } : left;
    }
}
