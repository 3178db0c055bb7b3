using L4Balancer.Core.Addressing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Epoll;

/// <summary>
/// Step 1 in the life of a connection: accept, and decide which thread serves it. Every thread watches every listening socket; where
/// the accepting one holds over a tenth more than the emptiest, it hands the socket over, because connections stay for hours.
/// </summary>
internal sealed class Acceptor(Worker worker)
{
    /// <summary>Then others get their turn; what still waits is a new event, as listening sockets are level-triggered.</summary>
    private const int AcceptsPerTurn = 32;

    private static readonly TimeSpan FirstBackoff = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(1);

    /// <summary>A shortage that comes and goes is told once in this time.</summary>
    private static readonly TimeSpan BetweenLines = TimeSpan.FromMinutes(1);

    private readonly Dictionary<int, EpollListeningSocket> _watched = [];
    private int _failures;
    private Instant _nextLine;
    private bool _told;
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
        for (int i = 0; i < AcceptsPerTurn; i++)
        {
            SysResult accepted = TcpSocket.Accept(listening.Descriptor, out Endpoint peer);
            switch (accepted.Errno)
            {
                case Errno.None:
                    NoteAccepted(listening);
                    if (listening.WasFiltered)
                    {
                        SynFilter.Detach(accepted.Value);
                    }

                    Place(new Handover(accepted.Value, peer, listening));
                    break;
                case Errno.EAGAIN:
                    return Errno.EAGAIN;
                case Errno.EMFILE or Errno.ENFILE or Errno.ENOBUFS or Errno.ENOMEM:
                    BackOff(listening, accepted.Errno);
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

        worker.Dialer.Begin(handover);
    }

    /// <summary>The pause after a shortage is over.</summary>
    public void Resume()
    {
        if (_paused)
        {
            _paused = false;
            foreach (EpollListeningSocket listening in _watched.Values)
            {
                Register(listening);
            }
        }
    }

    // EPOLLEXCLUSIVE (Linux 4.5): an arriving connection wakes one thread, not all.
    private void Register(EpollListeningSocket listening) =>
        worker.Register(listening.Descriptor, Libc.EPOLLIN | Libc.EPOLLEXCLUSIVE, EventTag.Listening(listening.Number));

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

    private void NoteAccepted(EpollListeningSocket listening)
    {
        if (_told)
        {
            worker.Engine.Log.AcceptRecovered(listening.Endpoint, _failures);
            _told = false;
        }

        _failures = 0;
    }

    // The socket stays readable, so watching it would spin. What waits stays queued in the kernel meanwhile.
    private void BackOff(EpollListeningSocket listening, Errno error)
    {
        _failures++;
        if (worker.Now >= _nextLine)
        {
            worker.Engine.Log.AcceptBacksOff(listening.Endpoint, error.ToString());
            _told = true;
            _nextLine = worker.Now + BetweenLines;
        }

        Pause();
        long backoff = Math.Min(FirstBackoff.Ticks << Math.Min(_failures - 1, 10), LongestBackoff.Ticks);
        worker.SetAcceptTimer(worker.Now + new TimeSpan(backoff));
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
