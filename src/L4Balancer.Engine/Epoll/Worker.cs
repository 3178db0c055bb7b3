using L4Balancer.Core.Accounting;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Epoll;

/// <summary>
/// One thread with its own epoll instance, connections and timers. <see cref="Run"/> is its loop; what happens to a connection is
/// told by <see cref="Acceptor"/>, <see cref="Dialer"/>, <see cref="Relay"/> and <see cref="Closer"/>, in the order of its life.
/// Only the mailbox and <see cref="Assigned"/> are for other threads.
/// </summary>
internal sealed class Worker : IDisposable
{
    private const int EventsPerWait = 512;

    /// <summary>Timer 0 is the acceptor's; the timer of a slot is its index plus one.</summary>
    private const int AcceptTimer = 0;

    /// <summary>In place of a slot's index: a step that is about no connection.</summary>
    public const int NoSlot = -1;

    /// <summary>Between two exceptions that are logged; a fault that meets every connection must not fill the log.</summary>
    private static readonly TimeSpan BetweenFaultLines = TimeSpan.FromSeconds(1);

    // Delegates are made here and not where they are used: a lambda allocates its delegate the first time, which may be in the middle of work.
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

    /// <exception cref="InvalidOperationException">The kernel gives no epoll instance or no eventfd; nothing is left behind.</exception>
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

    /// <summary>The time when this turn of the loop began.</summary>
    public Instant Now { get; private set; }

    public SlotTable Slots { get; } = new();

    public BufferPool Buffers { get; }

    /// <summary>Two descriptors and up to 256 KiB of kernel memory each: more streams than it holds copy.</summary>
    public PipePool Pipes { get; }

    public Mailbox Mailbox { get; }

    public Acceptor Acceptor { get; }

    public Dialer Dialer { get; }

    public Transfer Transfer { get; }

    public Relay Relay { get; }

    public Closer Closer { get; }

    public Migration Migration { get; }

    /// <summary>What the thread has spent, for any thread to ask.</summary>
    public ThreadClock Clock { get; } = new();

    /// <summary>Connections of this thread, those included that are still on their way to it.</summary>
    public int Assigned => Volatile.Read(ref _assigned);

    public void Start() => _thread.Start();

    /// <summary>Lets the worker answer on its own thread, between two events. Any thread asks.</summary>
    /// <param name="afterwards">The answer of a worker that has ended.</param>
    /// <returns>Faulted where the question throws; the worker goes on.</returns>
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
    /// Runs one step of a turn. An exception in it is logged and ends the connection that the step was about, with the reason
    /// <see cref="CloseReason.Internal"/>; one that left the loop would end the process.
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

    /// <summary>A step has thrown.</summary>
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
            // Id 0: it threw before the connection was counted.
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

    /// <summary>Ends the loop; for the worker's own thread, as a request.</summary>
    public void Stop() => _stopped = true;

    /// <summary>Ends the thread where it was started, and gives everything back. Not for the worker's own thread.</summary>
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

    /// <summary>Gives the connection another turn in this thread's next round: its edge will not come again.</summary>
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

        // Whoever asked too late to be heard in the loop is answered all the same: there is nothing here any more.
        Mailbox.Close();
        ReadMail();
    }

    private void RunLoop()
    {
        while (!_stopped)
        {
            // Counted from the turn's beginning: what the turn took makes the wait a little longer, within what a timer promises.
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
            case SlotState.Relaying:
                if ((events & Libc.EPOLLERR) != 0)
                {
                    Relay.SideFailed(tag.Index, ref slot, tag.IsBackend);
                }

                Relay.Turn(tag.Index, ref slot);
                break;
            case SlotState.Leaving:
                Closer.ContinueLeaving(tag.Index, ref slot);
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

    // Only as many as were ready before: a stream that gets ready again in its turn waits until all others had theirs.
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
        if (slot.State == SlotState.Relaying)
        {
            Relay.Turn(index, ref slot);
        }
        else if (slot.State == SlotState.Leaving)
        {
            Closer.ContinueLeaving(index, ref slot);
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

    // Only the requests that were there before: what is asked next waits until all events had their turn.
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
