using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Epoll;

/// <summary>
/// What other threads want of a worker: sockets handed over, and requests of the control plane. Any thread posts; the worker takes.
/// Handing over a socket allocates nothing once the queue has its size.
/// </summary>
internal sealed class Mailbox : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Queue<Handover> _handovers = new(64);
    private readonly Queue<Action<Worker>> _requests = new();
    private readonly WakeUp _wakeUp = new();
    private bool _closed;

    public int Descriptor => _wakeUp.Descriptor;

    /// <summary>Requests that wait. For the worker.</summary>
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

    public void Post(in Handover handover)
    {
        lock (_gate)
        {
            _handovers.Enqueue(handover);
            _wakeUp.Signal();
        }
    }

    /// <returns>False where the worker has ended, and nobody will read this.</returns>
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

    /// <summary>Before taking: what is posted from now on wakes the worker again.</summary>
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

    /// <summary>From now on nothing more can be asked; what was asked before is still to be taken.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
        }
    }

    public void Dispose() => _wakeUp.Dispose();
}
