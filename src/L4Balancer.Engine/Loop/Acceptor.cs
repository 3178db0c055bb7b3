using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Listening;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// Step 1 in the life of a connection: accepts it and selects the thread that serves it. Every thread watches every listening socket. If
/// the accepting one holds over a tenth more than the least loaded, it hands the socket over, because connections stay for hours.
/// </summary>
internal sealed class Acceptor(Worker worker)
{
    private static readonly Action<Worker, (int Index, Handover Handover)> Begin = static (w, begin) => w.Dialer.Begin(begin.Index, begin.Handover);

    /// <summary>Accepts per loop iteration. Listening sockets are level-triggered, so a non-empty backlog is reported again.</summary>
    private const int AcceptsPerTurn = 32;

    /// <summary>Rounds of accepts at most, before accepting is suspended: some thousand connections.</summary>
    private const int SweepsAtEnd = 128;

    private readonly Dictionary<int, LoopListeningSocket> _watched = [];
    private readonly AcceptBackoff _backoff = new(worker.Engine.Log);
    private bool _paused;
    private bool _suspended;
    private bool _ended;

    private bool IsRegistered => !_paused && !_suspended;

    /// <summary>Starts accepting from this socket.</summary>
    public void Watch(LoopListeningSocket listening)
    {
        if (!_ended && _watched.TryAdd(listening.Number, listening) && IsRegistered)
        {
            Register(listening);
        }
    }

    /// <summary>Stops accepting from this socket; events already collected for it in this iteration are ignored.</summary>
    public void Unwatch(LoopListeningSocket listening)
    {
        if (_watched.Remove(listening.Number) && IsRegistered)
        {
            worker.Unregister(listening.Descriptor);
        }
    }

    /// <summary>Stops accepting until <see cref="Restart"/>, without a change to the sockets, which another process has too.</summary>
    public void Suspend()
    {
        if (_suspended)
        {
            return;
        }

        bool wasRegistered = IsRegistered;
        _suspended = true;
        if (!wasRegistered)
        {
            return;
        }

        foreach (LoopListeningSocket listening in _watched.Values.ToArray())
        {
            worker.Unregister(listening.Descriptor);

            // The kernel wakes one waiter for each connection (EPOLLEXCLUSIVE): those for which it woke this one must not stay in the queue.
            for (int i = 0; i < SweepsAtEnd && AcceptSome(listening) == Errno.None; i++)
            {
            }
        }
    }

    /// <summary>Accepts again, and what waits in a queue already; registering reports that.</summary>
    public void Restart()
    {
        _suspended = false;
        if (!_paused)
        {
            foreach (LoopListeningSocket listening in _watched.Values)
            {
                worker.Unregister(listening.Descriptor);
                if (!Register(listening))
                {
                    return;
                }
            }
        }
    }

    /// <summary>Stops accepting permanently; sockets handed over later are reset.</summary>
    public void End()
    {
        Pause();
        _watched.Clear();
        _ended = true;
    }

    /// <param name="number">Of a socket that may no longer be watched, because its event was collected before.</param>
    public void Accept(int number)
    {
        if (IsRegistered && _watched.TryGetValue(number, out LoopListeningSocket? listening))
        {
            AcceptSome(listening);
        }
    }

    /// <summary>Accepts what is queued at a socket that no worker watches any more, and closes it if nothing is left.</summary>
    /// <returns>The result of <paramref name="close"/>; false if connections may still be queued. True after the end.</returns>
    public bool Empty(LoopListeningSocket listening, Func<bool> close) => _ended || (AcceptSome(listening) == Errno.EAGAIN && close());

    /// <returns>EAGAIN if the queue is empty; None if accepting stopped before that.</returns>
    private Errno AcceptSome(LoopListeningSocket listening)
    {
        try
        {
            return AcceptUpToLimit(listening);
        }
        catch (Exception e)
        {
            // Without a pause the loop would spin, because the socket stays readable.
            BackOff(listening, e.Message, e);
            return Errno.None;
        }
    }

    private Errno AcceptUpToLimit(LoopListeningSocket listening)
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

                    if (peer.IsUnix)
                    {
                        SocketOptions.ApplyToUnix(accepted.Value);
                    }
                    else if (listening.IsMultipath)
                    {
                        // A socket that listens for Multipath TCP hands on neither TCP_NOTSENT_LOWAT nor what it refuses itself: SO_OOBINLINE
                        // and TCP_USER_TIMEOUT. A plain connection takes all three; one of several paths refuses the last two (Linux 6.18).
                        ListenerSettings settings = listening.Target.Listener.Settings;
                        SocketOptions.Apply(accepted.Value, settings.UserTimeout, settings.CongestionControl);
                    }

                    Dispatch(new Handover(accepted.Value, peer, listening));
                    break;
                case Errno.EAGAIN:
                    return Errno.EAGAIN;
                case Errno.EMFILE or Errno.ENFILE or Errno.ENOBUFS or Errno.ENOMEM:
                    BackOff(listening, accepted.Errno.ToString());
                    return accepted.Errno;
                default:
                    // ECONNABORTED or another error that accept(2) passes on from a connection that ended in the queue: accept the next one.
                    break;
            }
        }

        return Errno.None;
    }

    /// <summary>Takes a socket that was accepted for this thread, by this or another worker.</summary>
    public void Take(in Handover handover)
    {
        if (_ended)
        {
            TcpSocket.Reset(handover.Descriptor);
            worker.Unassign(isEstablished: false);
            return;
        }

        int index;
        try
        {
            index = worker.Dialer.Rent(handover);
        }
        catch
        {
            // The tables could not grow. There is no connection yet, only a socket.
            TcpSocket.Reset(handover.Descriptor);
            worker.Unassign(isEstablished: false);
            throw;
        }

        worker.Guard.Run(Begin, (index, handover), index);
    }

    /// <summary>Starts accepting again after the pause that follows a shortage.</summary>
    public void Resume()
    {
        if (_paused)
        {
            _paused = false;
            if (_suspended)
            {
                return;
            }

            foreach (LoopListeningSocket listening in _watched.Values)
            {
                if (!Register(listening))
                {
                    return;
                }
            }
        }
    }

    // After ENOSPC or ENOMEM, and after an exception, registering is retried after a pause.
    private bool Register(LoopListeningSocket listening)
    {
        try
        {
            SysResult registered = worker.RegisterListening(listening);
            if (registered.IsError)
            {
                BackOff(listening, registered.Errno.ToString());
            }

            return !registered.IsError;
        }
        catch (Exception e)
        {
            BackOff(listening, e.Message, e);
            return false;
        }
    }

    private void Dispatch(in Handover handover)
    {
        Worker target = worker.Engine.LeastLoadedFor(worker);
        target.Assign(isEstablished: false);
        if (target == worker)
        {
            Take(handover);
        }
        else
        {
            bool isPosted = false;
            try
            {
                isPosted = target.Mailbox.TryPost(handover);
            }
            finally
            {
                if (!isPosted)
                {
                    TcpSocket.Reset(handover.Descriptor);
                    target.Unassign(isEstablished: false);
                }
            }
        }
    }

    // The socket stays readable, so watching it would spin. Waiting connections stay in the kernel's queue meanwhile.
    private void BackOff(LoopListeningSocket listening, string error, Exception? exception = null)
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
        if (!_suspended)
        {
            foreach (LoopListeningSocket listening in _watched.Values)
            {
                worker.Unregister(listening.Descriptor);
            }
        }
    }
}
