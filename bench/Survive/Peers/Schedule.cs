namespace L4Balancer.Bench.Survive.Peers;

/// <summary>Spreads work evenly: every item once in an interval, in order. What was missed by more than an interval is left out.</summary>
internal sealed class Schedule(TimeSpan interval)
{
    private int _count;
    private int _cursor;
    private long _step;
    private long _next = long.MaxValue;
    private double _pace = 1;

    public bool IsRunning => _next != long.MaxValue;

    /// <summary>The interval is so many times as long as the one given.</summary>
    public void Pace(double factor)
    {
        _pace = factor;
        Resize(_count);
    }

    /// <summary>There are so many items from now on.</summary>
    public void Resize(int count)
    {
        _count = count;
        _step = count == 0 ? long.MaxValue : Math.Max(1, (long)(interval.TotalNanoseconds * _pace / count));
        _cursor = count == 0 ? 0 : _cursor % count;
    }

    public void Start(long now) => _next = now;

    public void Stop() => _next = long.MaxValue;

    /// <param name="now">Nanoseconds.</param>
    /// <returns>False where nothing is due now.</returns>
    public bool TryTake(long now, out int item)
    {
        item = _cursor;
        if (_next > now || _count == 0)
        {
            return false;
        }

        _next = now - _next > _step * _count ? now : _next + _step;
        _cursor = (_cursor + 1) % _count;
        return true;
    }
}
