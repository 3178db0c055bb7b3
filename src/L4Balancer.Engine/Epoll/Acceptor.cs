using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Listening;

namespace L4Balancer.Engine.Epoll;

/// <summary>
/// Step 1 in the life of a connection: accept, and decide which thread serves it. Every thread watches every listening socket; where
/// the accepting one holds over a tenth more than the emptiest, it hands the socket over, because connections stay for hours.
/// </summary>
internal sealed class Acceptor(Worker worker)
{
    private static readonly Action<Worker, (int Index, Handover Handover)> Begin = static (w, begin) => w.Dialer.Begin(begin.Index, begin.Handover);

    /// <summary>Then others get their turn; what still waits is a new event, as listening sockets are level-triggered.</summary>
    private const int AcceptsPerTurn = 32;

    private readonly Dictionary<int, EpollListeningSocket> _watched = [];
    private readonly AcceptBackoff _backoff = new(worker.Engine.Log);
    private bool _paused;
    private bool _ended;

    /// <summary>Accepts from this socket from now on.</summary>
    public void Watch(EpollListeningSocket listening)
    {
        if (!_ended && _watched.TryAdd(listening.Number, listening) && !_paused)
        {
            Register(listening);
        }
    }

    /// <summary>No more; what this turn still has to tell of the socket is not heard.</summary>
    public void Unwatch(EpollListeningSocket listening)
    {
        if (_watched.Remove(listening.Number) && !_paused)
        {
            worker.Unregister(listening.Descriptor);
        }
    }

    /// <summary>For good.</summary>
    public void End()
    {
        Pause();
        _watched.Clear();
        _ended = true;
    }

    /// <param name="number">Of a socket that may be watched no more: its events were collected before.</param>
    public void Accept(int number)
    {
        if (!_paused && _watched.TryGetValue(number, out EpollListeningSocket? listening))
        {
            AcceptSome(listening);
        }
    }

    /// <summary>Accepts what is queued at a socket that nobody watches any more, and closes it where nothing is.</summary>
    /// <returns>What <paramref name="close"/> answered; false where something may be queued still. True after the end.</returns>
    public bool Empty(EpollListeningSocket listening, Func<bool> close) => _ended || (AcceptSome(listening) == Errno.EAGAIN && close());

    /// <returns>EAGAIN where nothing is queued any more; none where others get their turn first.</returns>
    private Errno AcceptSome(EpollListeningSocket listening)
    {
        try
        {
            return AcceptUpToLimit(listening);
        }
        catch (Exception e)
        {
            // Without a pause the loop would spin: the socket stays readable.
            BackOff(listening, e.Message, e);
            return Errno.None;
        }
    }

    private Errno AcceptUpToLimit(EpollListeningSocket listening)
    {
        for (int i = 0; i < AcceptsPerTurn; i++)
        {
            SysResult accepted = TcpSocket.Accept(listening.Descriptor, out Endpoint peer);
            switch (accepted.Errno)
            {
                case Errno.None:
                    _backoff.Succeeded(listening.Endpoint);
                    if (listening.WasFiltered)
                    {
                        SynFilter.Detach(accepted.Value);
                    }

                    Place(new Handover(accepted.Value, peer, listening));
                    break;
                case Errno.EAGAIN:
                    return Errno.EAGAIN;
                case Errno.EMFILE or Errno.ENFILE or Errno.ENOBUFS or Errno.ENOMEM:
                    BackOff(listening, accepted.Errno.ToString());
                    return accepted.Errno;
                default:
                    // ECONNABORTED and what else accept(2) passes on of a connection that ended while it was queued: the next one, please.
                    break;
            }
        }

        return Errno.None;
    }

    /// <summary>A socket that was accepted for this thread, by itself or by another.</summary>
    public void Take(in Handover handover)
    {
        if (_ended)
        {
            TcpSocket.Reset(handover.Descriptor);
            worker.Unassign();
            return;
        }

        int index = worker.Dialer.Rent(handover);
        worker.Guarded(Begin, (index, handover), index);
    }

    /// <summary>The pause after a shortage is over.</summary>
    public void Resume()
    {
        if (_paused)
        {
            _paused = false;
            foreach (EpollListeningSocket listening in _watched.Values)
            {
                if (!Register(listening))
                {
                    return;
                }
            }
        }
    }

    // EPOLLEXCLUSIVE (Linux 4.5): an arriving connection wakes one thread, not all. ENOSPC and ENOMEM are tried again after a pause.
    private bool Register(EpollListeningSocket listening)
    {
        SysResult registered =
            worker.Register(listening.Descriptor, Libc.EPOLLIN | Libc.EPOLLEXCLUSIVE, EventTag.Listening(listening.Number));
        if (registered.IsError)
        {
            BackOff(listening, registered.Errno.ToString());
        }

        return !registered.IsError;
    }

    private void Place(in Handover handover)
    {
        Worker target = worker.Engine.PlaceFor(worker);
        target.Assign();
        if (target == worker)
        {
            Take(handover);
        }
        else
        {
            target.Mailbox.Post(handover);
        }
    }

    // The socket stays readable, so watching it would spin. What waits stays queued in the kernel meanwhile.
    private void BackOff(EpollListeningSocket listening, string error, Exception? exception = null)
    {
        TimeSpan pause = _backoff.Failed(listening.Endpoint, error, worker.Now, exception);
        Pause();
        worker.SetAcceptTimer(worker.Now + pause);
    }

    private void Pause()
    {
        if (_paused)
        {
            return;
        }

        _paused = true;
        foreach (EpollListeningSocket listening in _watched.Values)
        {
            worker.Unregister(listening.Descriptor);
        }
    }
}
