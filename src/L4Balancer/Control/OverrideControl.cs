using L4Balancer.Core.Config;
using L4Balancer.Core.Fleet;
using L4Balancer.Core.Routing;

namespace L4Balancer.Control;

/// <summary>
/// What operators have set at run time, here and in the fleet: which setting holds, and when one that was set for a limited time ends. Only the control
/// loop calls it.
/// </summary>
internal sealed class OverrideControl : IAsyncDisposable
{
    /// <summary>
    /// What ends later is looked at again then: the end is a time of day, and a timer does not see that the clock was set or the machine
    /// suspended.
    /// </summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(1);

    /// <summary>Until what has ended and could not be lifted is tried again, because the engine refused the weight.</summary>
    private static readonly TimeSpan Again = TimeSpan.FromSeconds(1);

    private readonly TimeProvider _clock;
    private readonly ITimer _timer;

    /// <param name="due">Called on any thread when something may have ended.</param>
    public OverrideControl(Action due, TimeProvider clock)
    {
        _clock = clock;
        _timer = clock.CreateTimer(_ => due(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>What the store of the fleet says; null: there is no fleet, or its store has not been read yet.</summary>
    public FleetIntents? Shared { get; set; }

    /// <summary>The name of this balancer in its fleet; empty if there is none. In a fleet what lifts a setting is kept until it is shared.</summary>
    public string FleetId { get; set; } = "";

    /// <summary>The same state with the overrides that hold now: of every backend that the file has, also one that has just joined.</summary>
    public DesiredState Complete(DesiredState desired)
    {
        DateTimeOffset now = _clock.GetUtcNow();
        BackendOverrides overrides = Shared?.Over(desired, now) ?? desired.Overrides.At(now);
        return overrides == desired.Overrides ? desired : desired with { Overrides = overrides };
    }

    /// <summary>Sets the timer for what ends next.</summary>
    public void Follow(DesiredState desired)
    {
        DateTimeOffset? next = desired.Overrides.All.Min(static o => o.Set.Ends);
        if (next is { } end)
        {
            TimeSpan wait = end - _clock.GetUtcNow();

            // A timer counts whole milliseconds, and must not end before the time that it is set for.
            _timer.Change(
                wait <= TimeSpan.Zero ? Again : wait > LongestWait ? LongestWait : wait + TimeSpan.FromMilliseconds(1), Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>The override after an operator has set the mode.</summary>
    public BackendOverride WithMode(DesiredState desired, ModeSet set)
    {
        BackendOverride before = desired.Overrides[set.Pool, set.Backend];
        OverrideOrigin origin = OriginOf(set.Who, set.For, before.ModeOrigin, Shared?[set.Pool, set.Backend]?.Mode?.Origin);
        return before with { Mode = set.Mode, ModeOrigin = set.Mode == BackendMode.Ready && FleetId.Length == 0 ? null : origin };
    }

    /// <summary>As <see cref="WithMode"/>, for the weight.</summary>
    public BackendOverride WithWeight(DesiredState desired, WeightSet set, int fileWeight)
    {
        BackendOverride before = desired.Overrides[set.Pool, set.Backend];
        OverrideOrigin origin = OriginOf(set.Who, set.For, before.WeightOrigin, Shared?[set.Pool, set.Backend]?.Weight?.Origin);
        int? weight = set.Weight == fileWeight ? null : set.Weight;
        return before with { Weight = weight, WeightOrigin = weight is null && FleetId.Length == 0 ? null : origin };
    }

    /// <summary>The store of the fleet has lost what it had: everything that holds here is to be shared again.</summary>
    public BackendOverrides AllUnshared(BackendOverrides overrides)
    {
        DateTimeOffset now = _clock.GetUtcNow();
        return overrides.Select(set => IntentMerge.Unshared(set, "before the store of the fleet was lost", now));
    }

    /// <summary>The origin of a mode that another balancer has set, or that has ended, for the log.</summary>
    public string WhoSetMode(string pool, string backend, BackendOverride before, BackendOverride after) =>
        WhoSet(before.ModeOrigin, after.ModeOrigin ?? Shared?[pool, backend]?.Mode?.Origin);

    /// <summary>As <see cref="WhoSetMode"/>, for the weight.</summary>
    public string WhoSetWeight(string pool, string backend, BackendOverride before, BackendOverride after) =>
        WhoSet(before.WeightOrigin, after.WeightOrigin ?? Shared?[pool, backend]?.Weight?.Origin);

    private string WhoSet(OverrideOrigin? before, OverrideOrigin? now) =>
        before?.HasEnded(_clock.GetUtcNow()) == true ? $"the time that {before.Who} gave it has ended"
        : now is not null ? now.Who
        : "removed from the store of the fleet";

    public ValueTask DisposeAsync() => _timer.DisposeAsync();

    private OverrideOrigin OriginOf(string who, TimeSpan? lasts, OverrideOrigin? here, OverrideOrigin? there)
    {
        DateTimeOffset now = _clock.GetUtcNow();
        DateTimeOffset? known = here?.At > there?.At || there is null ? here?.At : there.At;
        return new OverrideOrigin(FleetId.Length == 0 ? who : $"{who} on {FleetId}", OverrideOrigin.After(known, now), lasts is { } time ? now + time : null);
    }
}
