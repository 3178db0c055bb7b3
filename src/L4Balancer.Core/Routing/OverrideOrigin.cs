namespace L4Balancer.Core.Routing;

/// <summary>Who set a value of a backend at run time, and for how long. Immutable.</summary>
/// <param name="Who">The origin of the request, as the log has it; of another balancer of the fleet with that one's id.</param>
/// <param name="At">When, in whole milliseconds: of two settings of one value the later one holds.</param>
/// <param name="Until">When it ends by itself; null: never.</param>
public sealed record OverrideOrigin(string Who, DateTimeOffset At, DateTimeOffset? Until)
{
    /// <summary>
    /// Whether the store of the fleet holds it. Without a fleet it never does, and nobody asks; in a fleet a value that is not shared yet holds here
    /// and is written as soon as the store answers.
    /// </summary>
    public bool IsShared { get; init; }

    public bool HasEnded(DateTimeOffset now) => Until <= now;

    /// <summary>The time of a request, in the precision that is kept.</summary>
    /// <param name="known">The latest that is known of the same value: a later request is later, even if the clocks differ.</param>
    public static DateTimeOffset After(DateTimeOffset? known, DateTimeOffset now)
    {
        DateTimeOffset at = DateTimeOffset.FromUnixTimeMilliseconds(now.ToUnixTimeMilliseconds());
        return known >= at ? known.Value.AddMilliseconds(1) : at;
    }
}
