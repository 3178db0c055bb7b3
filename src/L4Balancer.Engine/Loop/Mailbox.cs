using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Requests of other threads to a worker: sockets handed over, and control-plane requests. Any thread may post; only the worker takes.
/// Handing over a socket does not allocate once the queue has grown to its size.
/// </summary>
internal sealed class Mailbox : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Queue<Handover> _handovers = new(64);
    private readonly Queue<Action<Worker>> _requests = new();
    private readonly WakeUp _wakeUp = new();
    private bool _closed;

    public int Descriptor => _wakeUp.Descriptor;

    /// <summary>Number of queued requests. For the worker.</summary>
    public int Requests
    {
        get
        {
            lock (_gate)
            {
                return _requests.Count;
            }
        }
    }

    /// <returns>False if the worker has ended; the socket remains the caller's.</returns>
    public bool TryPost(in Handover handover)
    {
        lock (_gate)
        {
            if (_closed)
            {
                return false;
            }

            _handovers.Enqueue(handover);
            _wakeUp.Signal();
            return true;
        }
    }

    /// <returns>False if the worker has ended; the request will not run.</returns>
    public bool TryPost(Action<Worker> request)
    {
        lock (_gate)
        {
            if (_closed)
            {
                return false;
            }

            _requests.Enqueue(request);
            _wakeUp.Signal();
            return true;
        }
    }

    /// <summary>Call before taking: anything posted afterwards wakes the worker again.</summary>
    public void Clear() => _wakeUp.Clear();

    public bool TryTake(out Handover handover)
    {
        lock (_gate)
        {
            return _handovers.TryDequeue(out handover);
        }
    }

    public bool TryTake(out Action<Worker>? request)
    {
        lock (_gate)
        {
            return _requests.TryDequeue(out request);
        }
    }

    /// <summary>Rejects further sockets and requests; those posted before can still be taken.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
        }
    }

    /// <summary>Closes it first: a later signal would be written to whatever has the number of the descriptor by then.</summary>
    public void Dispose()
    {
        Close();
        _wakeUp.Dispose();
    }
}
