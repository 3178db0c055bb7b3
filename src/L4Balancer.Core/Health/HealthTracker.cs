namespace L4Balancer.Core.Health;

/// <summary>
/// Rise and fall of one backend: it begins up, its first probe decides alone, and from then on <c>fall</c> failures in a row take it
/// down and <c>rise</c> successes in a row bring it back. One writer.
/// </summary>
public sealed class HealthTracker(int rise, int fall)
{
    private int _rise = rise;
    private int _fall = fall;
    private int _streak;
    private bool _probed;

    public bool IsUp { get; private set; } = true;

    /// <summary>Other numbers from the next probe on; what was counted so far stays.</summary>
    public void Retune(int rise, int fall) => (_rise, _fall) = (rise, fall);

    /// <returns>Whether <see cref="IsUp"/> changed.</returns>
    public bool Report(ProbeOutcome outcome)
    {
        if (outcome == ProbeOutcome.LocalError)
        {
            return false;
        }

        bool good = outcome == ProbeOutcome.Success;
        bool decidesAlone = !_probed;
        _probed = true;
        if (good == IsUp)
        {
            _streak = 0;
            return false;
        }

        _streak++;
        if (!decidesAlone && _streak < (good ? _rise : _fall))
        {
            return false;
        }

        IsUp = good;
        _streak = 0;
        return true;
    }
}
