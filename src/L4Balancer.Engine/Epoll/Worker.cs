using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Epoll;

/// <summary>
/// One thread with its own epoll instance, connections and timers. <see cref="Run"/> is its loop. <see cref="Acceptor"/>,
/// <see cref="Dialer"/>, <see cref="Relay"/> and <see cref="Closer"/> handle the stages of a connection, in this order.
/// Other threads may use only the mailbox, <see cref="Clock"/> and <see cref="Assigned"/>. The file is long because the guard around every
/// step of a loop iteration belongs beside the steps.
/// </summary>
internal sealed class Worker : IDisposable
{
    private const int EventsPerWait = 512;

    /// <summary>Timer 0 belongs to the acceptor; the timer of a slot is its index plus one.</summary>
    private const int AcceptTimer = 0;

    /// <summary>Used in place of a slot index for a step that does not concern one connection.</summary>
    public const int NoSlot = -1;

    /// <summary>Minimum time between two logged exceptions, so that a fault that affects every connection does not fill the log.</summary>
    private static readonly TimeSpan BetweenFaultLines = TimeSpan.FromSeconds(1);

    // Delegates are created here, not where they are used: a lambda allocates its delegate on first use, which may be under load.
    private static readonly Action<Worker, int> AcceptStep = static (w, number) => w.Acceptor.Accept(number);
    private static readonly Action<Worker, (EventTag Tag, uint Events)> HandleStep = static (w, e) => w.Handle(e.Tag, e.Events);
    private static readonly Action<Worker, int> ContinueStep = static (w, index) => w.Continue(index);
    private static readonly Action<Worker, int> DeadlineStep = static (w, index) => w.DeadlinePassed(index);
    private static readonly Action<Worker, int> ResumeStep = static (w, _) => w.Acceptor.Resume();
    private static readonly Action<Worker, Handover> TakeStep = static (w, handover) => w.Acceptor.Take(handover);
    private static readonly Action<Worker, Action<Worker>> RequestStep = static (w, request) => request(w);

    private readonly EventPoll _poll = new(EventsPerWait);
    private readonly TimerWheel _wheel;
    private readonly Queue<(int Index, uint Generation)> _ready = new(256);
    private readonly Thread _thread;
    private int _assigned;
    private bool _stopped;
    private Instant _nextFaultLine;
    private int _faultsNotLogged;

    /// <exception cref="InvalidOperationException">The kernel provides no epoll instance or no eventfd; everything opened is closed.</exception>
    public Worker(EpollEngine engine, int number)
    {
        try
        {
            Mailbox = new Mailbox();
            SysResult registered = Register(Mailbox.Descriptor, Libc.EPOLLIN, EventTag.WakeUp);
            if (registered.IsError)
            {
                Mailbox.Dispose();
                throw new InvalidOperationException($"epoll_ctl: {registered.Errno}");
            }
        }
        catch (InvalidOperationException)
        {
            _poll.Dispose();
            throw;
        }

        Engine = engine;
        Number = number;
        Now = Instant.Now(engine.Options.Clock);
        _wheel = new TimerWheel(Now, TimerFired);
        Pipes = new PipePool(engine.Options.PipesPerWorker);
        Buffers = new BufferPool();
        Acceptor = new Acceptor(this);
        Dialer = new Dialer(this);
        Transfer = new Transfer(this);
        Relay = new Relay(this);
        Closer = new Closer(this);
        Migration = new Migration(this);
        _thread = new Thread(Run) { Name = $"{ThreadNames.Worker}{number}", IsBackground = true };
    }

    public EpollEngine Engine { get; }

    public int Number { get; }

    /// <summary>The time at which the current loop iteration began.</summary>
    public Instant Now { get; private set; }

    public SlotTable Slots { get; } = new();

    public BufferPool Buffers { get; }

    /// <summary>Two descriptors and up to 256 KiB of kernel memory per pipe. Streams that get no pipe are copied.</summary>
    public PipePool Pipes { get; }

    public Mailbox Mailbox { get; }

    public Acceptor Acceptor { get; }

    public Dialer Dialer { get; }

    public Transfer Transfer { get; }

    public Relay Relay { get; }

    public Closer Closer { get; }

    public Migration Migration { get; }

    /// <summary>CPU time used by the thread. Any thread may read it.</summary>
    public ThreadClock Clock { get; } = new();

    /// <summary>Connections of this thread, including those still being handed over to it. Any thread may read it.</summary>
    public int Assigned => Volatile.Read(ref _assigned);

    public void Start() => _thread.Start();

    /// <summary>Runs a function on the worker's thread, between two events. Any thread may call.</summary>
    /// <param name="afterwards">The result if the worker has ended.</param>
    /// <returns>Faulted if the function throws; the worker keeps running.</returns>
    public Task<T> AskAsync<T>(Func<Worker, T> question, T afterwards)
    {
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        return Mailbox.TryPost(Answer) ? answer.Task : Task.FromResult(afterwards);

        void Answer(Worker worker)
        {
            try
            {
                answer.SetResult(question(worker));
            }
            catch (Exception e)
            {
                answer.TrySetException(e);
            }
        }
    }

    /// <summary>
    /// Runs one step of a loop iteration. An exception in it is logged and ends the connection that the step concerns, with the reason
    /// <see cref="CloseReason.Internal"/>. An exception that escaped the loop would end the process.
    /// </summary>
    /// <param name="index">The slot of that connection, or <see cref="NoSlot"/>.</param>
    public void Guarded<T>(Action<Worker, T> step, T argument, int index = NoSlot)
    {
        try
        {
            step(this, argument);
        }
        catch (Exception e)
        {
            Fail(index, e);
        }
    }

    /// <summary>Handles an exception thrown by a step: logs it and ends the connection that the step concerns.</summary>
    public void Fail(int index, Exception exception)
    {
        LogFault(index, exception);
        if (index == NoSlot || Slots[index].State == SlotState.Free)
        {
            return;
        }

        ref Slot slot = ref Slots[index];
        uint generation = slot.Generation;
        try
        {
            // Id 0: the exception came before the connection was counted.
            if (slot.Record.Id != 0)
            {
                Closer.Abort(index, ref slot, CloseReason.Internal);
            }
        }
        catch (Exception e)
        {
            LogFault(index, e);
        }

        if (slot.State != SlotState.Free && slot.Generation == generation)
        {
            Closer.Drop(index, ref slot);
        }
    }

    public void Assign() => Interlocked.Increment(ref _assigned);

    public void Unassign()
    {
        Interlocked.Decrement(ref _assigned);
        Engine.CompleteIfEmpty();
    }

    /// <summary>Ends the loop. Must run on the worker's own thread, as a request.</summary>
    public void Stop() => _stopped = true;

    /// <summary>Joins the thread if it was started, and releases all resources. Must not be called on the worker's own thread.</summary>
    public void End()
    {
        if (_thread.ThreadState.HasFlag(ThreadState.Unstarted))
        {
            Mailbox.Close();
        }
        else
        {
            Mailbox.TryPost(static w => w.Stop());
            _thread.Join();
        }

        Dispose();
    }

    public SysResult Register(int descriptor, uint events, EventTag tag) => _poll.Add(descriptor, events, tag.Value);

    public void Unregister(int descriptor) => _poll.Remove(descriptor);

    public void SetTimer(int slot, Instant deadline) => _wheel.Set(slot + 1, deadline);

    public void SetAcceptTimer(Instant deadline) => _wheel.Set(AcceptTimer, deadline);

    /// <summary>Schedules the connection for the next iteration, because its edge-triggered event will not be reported again.</summary>
    public void MakeReady(int index, ref Slot slot)
    {
        if (!slot.IsReady)
        {
            slot.IsReady = true;
            _ready.Enqueue((index, slot.Generation));
        }
    }

    public void Dispose()
    {
        _poll.Dispose();
        Mailbox.Dispose();
        Pipes.Dispose();
        Buffers.Dispose();
    }

    private void Run()
    {
        Clock.Begin();
        RunLoop();
        Clock.End();

        // Answer requests that were posted after the last iteration, so that their callers complete. No connection is left.
        Mailbox.Close();
        ReadMail();
    }

    private void RunLoop()
    {
        while (!_stopped)
        {
            // Measured from the start of the iteration: its duration lengthens the wait slightly, within the accuracy of the timers.
            int count = _poll.Wait(_ready.Count > 0 ? 0 : _wheel.WaitFrom(Now));
            Now = Instant.Now(Engine.Options.Clock);
            for (int i = 0; i < count; i++)
            {
                Dispatch(new EventTag(_poll.Data(i)), _poll.Events(i));
            }

            RunReady();
            _wheel.Advance(Now);
        }
    }

    private void Dispatch(EventTag tag, uint events)
    {
        if (tag.IsWakeUp)
        {
            Mailbox.Clear();
            ReadMail();
        }
        else if (tag.IsListening)
        {
            Guarded(AcceptStep, tag.Index);
        }
        else if (tag.Index < Slots.End && tag.IsOf(tag.Index, Slots[tag.Index]))
        {
            Guarded(HandleStep, (tag, events), tag.Index);
        }
    }

    private void Handle(EventTag tag, uint events)
    {
        ref Slot slot = ref Slots[tag.Index];
        SideState told = Told(events);
        if (tag.IsBackend)
        {
            slot.BackendState |= told;
        }
        else
        {
            slot.ClientState |= told;
        }

        switch (slot.State)
        {
            case SlotState.Connecting or SlotState.Pausing:
                Dialer.SideEvent(tag.Index, ref slot, tag.IsBackend, events);
                break;
            case SlotState.Established:
                if (slot.IsRelaying && (events & Libc.EPOLLERR) != 0)
                {
                    Relay.SideFailed(tag.Index, ref slot, tag.IsBackend ? Side.Backend : Side.Client);
                }

                GoOn(tag.Index, ref slot);
                break;
            default:
                break;
        }
    }

    private static SideState Told(uint events)
    {
        SideState told = SideState.None;
        if ((events & (Libc.EPOLLRDHUP | Libc.EPOLLHUP | Libc.EPOLLERR)) != 0)
        {
            told = SideState.Ending | SideState.Readable;
        }

        if ((events & Libc.EPOLLIN) != 0)
        {
            told |= SideState.Readable;
        }

        if ((events & Libc.EPOLLPRI) != 0)
        {
            told |= SideState.Urgent;
        }

        return (events & Libc.EPOLLOUT) != 0 ? told | SideState.Writable : told;
    }

    // Only as many as were ready before: a stream that becomes ready again meanwhile runs after all others have run.
    private void RunReady()
    {
        for (int i = _ready.Count; i > 0; i--)
        {
            (int index, uint generation) = _ready.Dequeue();
            ref Slot slot = ref Slots[index];
            if (slot.State == SlotState.Free || slot.Generation != generation)
            {
                continue;
            }

            slot.IsReady = false;
            Guarded(ContinueStep, index, index);
        }
    }

    private void Continue(int index)
    {
        ref Slot slot = ref Slots[index];
        if (slot.State == SlotState.Established)
        {
            GoOn(index, ref slot);
        }
    }

    // While a connection is being flushed, events carry no new information: its timer checks the send queues.
    private void GoOn(int index, ref Slot slot)
    {
        if (slot.End.Phase == EndPhase.Relaying)
        {
            Relay.Turn(index, ref slot);
        }
        else if (slot.End.Phase == EndPhase.Lingering)
        {
            Closer.ContinueLingering(index, ref slot);
        }
    }

    private void TimerFired(int timer)
    {
        if (timer == AcceptTimer)
        {
            Guarded(ResumeStep, 0);
        }
        else
        {
            Guarded(DeadlineStep, timer - 1, timer - 1);
        }
    }

    private void DeadlinePassed(int index)
    {
        ref Slot slot = ref Slots[index];
        switch (slot.State)
        {
            case SlotState.Connecting or SlotState.Pausing:
                Dialer.DeadlinePassed(index, ref slot);
                break;
            case SlotState.Free:
                break;
            default:
                Closer.DeadlinePassed(index, ref slot);
                break;
        }
    }

    // Only requests that are already queued: those posted meanwhile run after the next batch of events.
    private void ReadMail()
    {
        while (Mailbox.TryTake(out Handover handover))
        {
            Guarded(TakeStep, handover);
        }

        for (int i = Mailbox.Requests; i > 0 && Mailbox.TryTake(out Action<Worker>? request); i--)
        {
            Guarded(RequestStep, request!);
        }
    }

    private void LogFault(int index, Exception exception)
    {
        if (Now < _nextFaultLine)
        {
            _faultsNotLogged++;
            return;
        }

        _nextFaultLine = Now + BetweenFaultLines;
        if (_faultsNotLogged > 0)
        {
            Engine.Log.ExceptionsNotLogged(_faultsNotLogged, Number);
            _faultsNotLogged = 0;
        }

        if (index == NoSlot)
        {
            Engine.Log.LoopStepFailed(Number, exception);
        }
        else
        {
            Engine.Log.ServingFailed(Slots[index].Record.Id, exception);
        }
    }
}
