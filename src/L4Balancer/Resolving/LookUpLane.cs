namespace L4Balancer.Resolving;

/// <summary>
/// Host names that wait for a look-up, and the threads that carry the look-ups out: a bounded number at once, of which those whose look-up
/// hangs are replaced by a bounded number of others. Members are called with the gate held, except for the callbacks.
/// </summary>
internal sealed class LookUpLane : IDisposable
{
    /// <summary>
    /// After this time a look-up counts as hanging. Living name servers answer within some tens of milliseconds; the C library waits 5 s for
    /// one that is silent before it asks the next (resolv.conf(5)).
    /// </summary>
    public static readonly TimeSpan HangsAfter = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(1);

    private readonly Lock _gate;
    private readonly TimeProvider _clock;
    private readonly Func<string, LookUp> _lookUp;
    private readonly Action<string, LookUp, bool> _found;
    private readonly Action<ThreadStart> _start;
    private readonly int _atOnce;
    private readonly int _mostHanging;
    private readonly Queue<string> _first = new();
    private readonly Queue<string> _others = new();
    private readonly List<Running> _running = [];
    private readonly ITimer _watch;
    private bool _watches;
    private int _threads;
    private int _hanging;

    /// <param name="gate">The lock that guards this object.</param>
    /// <param name="lookUp">Resolves a name. May block; must not throw.</param>
    /// <param name="found">Receives each result, and whether the look-up failed after it had hung.</param>
    /// <param name="start">Starts a thread.</param>
    /// <param name="atOnce">The maximum number of look-ups at once, without those that hang.</param>
    /// <param name="mostHanging">The maximum number of hanging look-ups whose thread is replaced by another.</param>
    public LookUpLane(
        Lock gate, TimeProvider clock, Func<string, LookUp> lookUp, Action<string, LookUp, bool> found, Action<ThreadStart> start, int atOnce,
        int mostHanging)
    {
        _gate = gate;
        _clock = clock;
        _lookUp = lookUp;
        _found = found;
        _start = start;
        _atOnce = atOnce;
        _mostHanging = mostHanging;
        _watch = clock.CreateTimer(_ => ReplaceHanging(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    private int Waiting => _first.Count + _others.Count;

    /// <param name="first">Whether the name precedes those that were added without this.</param>
    public void Add(string host, bool first) => (first ? _first : _others).Enqueue(host);

    /// <summary>Starts one more thread if names are waiting and the bound allows it.</summary>
    public void Serve()
    {
        if (Waiting > 0 && _threads < _atOnce)
        {
            StartThread();
        }

        Watch();
    }

    /// <summary>Forgets the names that are waiting. Threads end after their current look-up.</summary>
    public void Clear()
    {
        _first.Clear();
        _others.Clear();
    }

    public void Dispose() => _watch.Dispose();

    // If the host cannot start a thread, the running ones do all look-ups; if there is none, the next round tries again.
    private void StartThread()
    {
        try
        {
            _start(LookUpAll);
            _threads++;
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            // The names remain in the queue.
        }
    }

    private void LookUpAll()
    {
        while (Next() is Running look)
        {
            LookUp found = _lookUp(look.Host);
            bool goesOn = End(look);
            _found(look.Host, found, found.Fault.Length > 0 && _clock.GetElapsedTime(look.Began) >= HangsAfter);
            if (!goesOn)
            {
                return;
            }
        }
    }

    private Running? Next()
    {
        lock (_gate)
        {
            if (!_first.TryDequeue(out string? host) && !_others.TryDequeue(out host))
            {
                _threads--;
                return null;
            }

            var look = new Running(host, _clock.GetTimestamp());
            _running.Add(look);
            return look;
        }
    }

    /// <returns>False if the thread was replaced and is not needed any more.</returns>
    private bool End(Running look)
    {
        lock (_gate)
        {
            if (_running.Remove(look))
            {
                return true;
            }

            _hanging--;
            Watch();
            if (_threads == _atOnce)
            {
                return false;
            }

            _threads++;
            return true;
        }
    }

    private void ReplaceHanging()
    {
        lock (_gate)
        {
            _watches = false;
            int replaced = _running.RemoveAll(r => _hanging < _mostHanging && Hangs(r));
            _threads -= replaced;
            for (int i = Math.Min(Waiting, _atOnce - _threads); i > 0; i--)
            {
                StartThread();
            }

            Watch();
        }
    }

    private bool Hangs(Running look)
    {
        if (_clock.GetElapsedTime(look.Began) < HangsAfter)
        {
            return false;
        }

        _hanging++;
        return true;
    }

    // Only while names wait is it of interest which look-ups hang.
    private void Watch()
    {
        if (_watches || Waiting == 0 || _hanging >= _mostHanging)
        {
            return;
        }

        _watches = true;
        TimeSpan oldest = _running.Count == 0 ? TimeSpan.Zero : _clock.GetElapsedTime(_running[0].Began);
        _watch.Change(oldest < HangsAfter - Moment ? HangsAfter - oldest : Moment, Timeout.InfiniteTimeSpan);
    }

    private sealed record Running(string Host, long Began);
}
