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

    private int _failures;
    private Instant _nextLine;
    private bool _told;
    private bool _watching;
    private bool _ended;

    public void Watch()
    {
        if (_watching || _ended)
        {
            return;
        }

        _watching = true;
        foreach (ListeningSocket listening in worker.Engine.Listening)
        {
            // EPOLLEXCLUSIVE (Linux 4.5): an arriving connection wakes one thread, not all.
            worker.Register(listening.Descriptor, Libc.EPOLLIN | Libc.EPOLLEXCLUSIVE, EventTag.Listening(listening.Number));
        }
    }

    /// <summary>For good.</summary>
    public void End()
    {
        Pause();
        _ended = true;
    }

    public void Accept(int number)
    {
        if (!_watching)
        {
            // Of the batch in which it was told to pause or end; by now the engine may have closed its listening sockets.
            return;
        }

        ListeningSocket listening = worker.Engine.Listening[number];
        for (int i = 0; i < AcceptsPerTurn; i++)
        {
            SysResult accepted = TcpSocket.Accept(listening.Descriptor, out Endpoint peer);
            switch (accepted.Errno)
            {
                case Errno.None:
                    NoteAccepted(listening);
                    Place(new Handover(accepted.Value, peer, listening));
                    break;
                case Errno.EAGAIN:
                    return;
                case Errno.EMFILE or Errno.ENFILE or Errno.ENOBUFS or Errno.ENOMEM:
                    BackOff(listening, accepted.Errno);
                    return;
                default:
                    // ECONNABORTED and what else accept(2) passes on of a connection that ended while it was queued: the next one, please.
                    break;
            }
        }
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
    public void Resume() => Watch();

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

    private void NoteAccepted(ListeningSocket listening)
    {
        if (_told)
        {
            worker.Engine.Log.AcceptRecovered(listening.Endpoint, _failures);
            _told = false;
        }

        _failures = 0;
    }

    // The socket stays readable, so watching it would spin. What waits stays queued in the kernel meanwhile.
    private void BackOff(ListeningSocket listening, Errno error)
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
        if (!_watching)
        {
            return;
        }

        _watching = false;
        foreach (ListeningSocket listening in worker.Engine.Listening)
        {
            worker.Unregister(listening.Descriptor);
        }
    }
}
