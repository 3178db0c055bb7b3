using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// The loop of a <see cref="Worker"/>: waits for events, brings each to its step under the worker's <see cref="StepGuard"/>, then runs what
/// is ready and the timers that are due. For the worker's thread, apart from <see cref="Stalls"/>.
/// </summary>
internal sealed class EventLoop
{
    /// <summary>Timer 0 belongs to the acceptor; the timer of a slot is its index plus one.</summary>
    public const int AcceptTimer = 0;

    /// <summary>
    /// An iteration that begins this much later than its timers require follows a stall; the managed engine has the same limit. Less is no
    /// sign of a stall: an iteration of a busy worker may take some tens of milliseconds, and connect timeouts have to count there too.
    /// </summary>
    private static readonly TimeSpan LateBy = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan PauseAfterFault = TimeSpan.FromMilliseconds(10);

    // Delegates are created here, not where they are used: a lambda allocates its delegate on first use, which may be under load.
    private static readonly Action<Worker, int> AcceptStep = static (w, number) => w.Acceptor.Accept(number);
    private static readonly Action<Worker, (EventTag Tag, PollEvents Events)> HandleStep = static (w, e) => w.Dispatcher.Handle(e.Tag, e.Events);
    private static readonly Action<Worker, int> ContinueStep = static (w, index) => w.Dispatcher.Continue(index);
    private static readonly Action<Worker, int> DeadlineStep = static (w, index) => w.Dispatcher.DeadlinePassed(index);
    private static readonly Action<Worker, int> ResumeStep = static (w, _) => w.Acceptor.Resume();
    private static readonly Action<Worker, Handover> TakeStep = static (w, handover) => w.Acceptor.Take(handover);
    private static readonly Action<Worker, Action<Worker>> RequestStep = static (w, request) => request(w);

    private readonly Worker _worker;
    private readonly IPoller _poller;
    private readonly Queue<(int Index, uint Generation)> _ready = new(256);
    private long _stalls;
    private bool _stopped;
    private bool _mustServeAll;

    public EventLoop(Worker worker, IPoller poller)
    {
        _worker = worker;
        _poller = poller;
        Now = Instant.Now(_worker.Engine.Options.Clock);
        Timers = new TimerWheel(Now, TimerFired);
    }

    /// <inheritdoc cref="Worker.Now"/>
    public Instant Now { get; private set; }

    /// <inheritdoc cref="Worker.IsLate"/>
    public bool IsLate { get; private set; }

    /// <inheritdoc cref="Worker.Stalls"/>
    public long Stalls => Volatile.Read(ref _stalls);

    public TimerWheel Timers { get; }

    /// <summary>Ends the loop after the current iteration.</summary>
    public void Stop() => _stopped = true;

    /// <inheritdoc cref="Worker.MakeReady"/>
    public void MakeReady(ref Slot slot)
    {
        if (!slot.IsReady)
        {
            slot.IsReady = true;
            _ready.Enqueue((slot.Index, slot.Generation));
        }
    }

    /// <summary>Runs until <see cref="Stop"/>.</summary>
    public void Run()
    {
        while (!_stopped)
        {
            try
            {
                if (_mustServeAll)
                {
                    ServeAll();
                    _mustServeAll = false;
                }

                Iterate();
            }
            catch (Exception e)
            {
                // Not in a step of a connection, and it may recur at once.
                _worker.Guard.Fail(StepGuard.NoSlot, e);
                _mustServeAll = true;
                Thread.Sleep(PauseAfterFault);
            }
        }
    }

    // Edges that the failed iteration had collected are not reported again by themselves, and turns that were due may be lost.
    private void ServeAll()
    {
        for (int index = 0; index < _worker.Slots.End; index++)
        {
            ref Slot slot = ref _worker.Slots[index];
            if (slot.State == SlotState.Free)
            {
                continue;
            }

            // ENOENT or EBADF: a connection that is being set up does not watch its client or has no backend yet.
            _poller.ReportAgain(slot.Client, EventTag.Client(slot).Value);
            _poller.ReportAgain(slot.Backend, EventTag.Backend(slot).Value);
            if (slot.State is SlotState.Established or SlotState.Inspecting)
            {
                MakeReady(ref slot);
            }
        }
    }

    private void Iterate()
    {
        // Measured from the start of the iteration: its duration lengthens the wait slightly, within the accuracy of the timers.
        int wait = _ready.Count > 0 ? 0 : Timers.WaitFrom(Now);
        Instant before = Now;
        int count = _poller.Wait(wait);
        Now = Instant.Now(_worker.Engine.Options.Clock);
        NoteStall(before, wait);
        Dispatch(count);
        if (Timers.IsDue(Now))
        {
            DispatchAll();
        }

        RunReady();
        Timers.Advance(Now);
    }

    // Counted where a timer fires later than it should; long iterations without one do no harm. While this process is stopped (SIGSTOP, a paused
    // virtual machine, no free processor), the kernel goes on receiving, so events may wait that are older than the timer.
    private void NoteStall(Instant before, int wait)
    {
        TimeSpan late = wait < 0 ? TimeSpan.Zero : Now - before - TimeSpan.FromMilliseconds(wait);
        IsLate = late > LateBy;
        if (late > TimerWheel.Tick && Timers.IsDue(Now + (-TimerWheel.Tick)))
        {
            Volatile.Write(ref _stalls, _stalls + 1);
        }
    }

    // Before a timer is believed: what has happened by now is known first. A wait returns a limited number of events, and none if a signal
    // interrupted it. Bounded, because busy connections always have events.
    private void DispatchAll()
    {
        int count;
        int rounds = 1 + (2 * _worker.Slots.End / IPoller.EventsPerWait);
        do
        {
            count = _poller.Wait(0);
            Dispatch(count);
        }
        while (count == IPoller.EventsPerWait && --rounds > 0);
    }

    private void Dispatch(int count)
    {
        for (int i = 0; i < count; i++)
        {
            Dispatch(new EventTag(_poller.Data(i)), _poller.Events(i));
        }
    }

    private void Dispatch(EventTag tag, PollEvents events)
    {
        if (tag.IsWakeUp)
        {
            _worker.Mailbox.Clear();
            ReadMail();
        }
        else if (tag.IsListening)
        {
            _worker.Guard.Run(AcceptStep, tag.Index);
        }
        else if (tag.Index < _worker.Slots.End && tag.IsOf(_worker.Slots[tag.Index]))
        {
            _worker.Guard.Run(HandleStep, (tag, events), tag.Index);
        }
    }

    // Only as many as were ready before: a stream that becomes ready again meanwhile runs after all others have run.
    private void RunReady()
    {
        for (int i = _ready.Count; i > 0; i--)
        {
            (int index, uint generation) = _ready.Dequeue();
            ref Slot slot = ref _worker.Slots[index];
            if (slot.State == SlotState.Free || slot.Generation != generation)
            {
                continue;
            }

            slot.IsReady = false;
            _worker.Guard.Run(ContinueStep, index, index);
        }
    }

    private void TimerFired(int timer)
    {
        if (timer == AcceptTimer)
        {
            _worker.Guard.Run(ResumeStep, 0);
        }
        else
        {
            _worker.Guard.Run(DeadlineStep, timer - 1, timer - 1);
        }
    }

    /// <summary>Runs only requests that are already queued: those posted meanwhile run after the next batch of events.</summary>
    public void ReadMail()
    {
        while (_worker.Mailbox.TryTake(out Handover handover))
        {
            _worker.Guard.Run(TakeStep, handover);
        }

        for (int i = _worker.Mailbox.Requests; i > 0 && _worker.Mailbox.TryTake(out Action<Worker>? request); i--)
        {
            _worker.Guard.Run(RequestStep, request!);
        }
    }
}
