using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Accounting;

/// <summary>
/// The established connections of one backend that are so young that they may still end early (<c>early_close</c>), so that it is not
/// known yet whether their connects were successes. Counted by the window of time in which they were established: what is left of a window
/// when the next one has passed has lasted. Any thread.
/// </summary>
internal sealed class Probation
{
    private readonly Lock _gate = new();
    private long _window;
    private int _current;
    private int _previous;
    private TimeSpan _limit;

    /// <summary>A connection was established.</summary>
    /// <param name="limit">The age at which a connection has lasted.</param>
    /// <returns>Whether others have lasted since the last call.</returns>
    public bool Enter(Instant now, TimeSpan limit)
    {
        lock (_gate)
        {
            bool lasted = Advance(now, limit);
            _current++;
            return lasted;
        }
    }

    /// <summary>A connection has ended before it was as old as the limit.</summary>
    /// <returns>Whether others have lasted since the last call.</returns>
    public bool Leave(Instant establishedAt, Instant now, TimeSpan limit)
    {
        lock (_gate)
        {
            bool lasted = Advance(now, limit);
            long window = establishedAt.Ticks / limit.Ticks;

            // One that was established under another limit, or in another engine, is in no window.
            if (window == _window && _current > 0)
            {
                _current--;
            }
            else if (window == _window - 1 && _previous > 0)
            {
                _previous--;
            }

            return lasted;
        }
    }

    private bool Advance(Instant now, TimeSpan limit)
    {
        long window = now.Ticks / limit.Ticks;
        if (limit != _limit)
        {
            (_limit, _window, _current, _previous) = (limit, window, 0, 0);
            return false;
        }

        if (window <= _window)
        {
            return false;
        }

        bool next = window == _window + 1;
        bool lasted = _previous > 0 || (!next && _current > 0);
        (_window, _previous, _current) = (window, next ? _current : 0, 0);
        return lasted;
    }
}
