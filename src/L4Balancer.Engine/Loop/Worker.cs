using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// One thread with its own poller, connections and timers. <see cref="Run"/> is its loop; <see cref="Guard"/> runs every step of it.
/// <see cref="Acceptor"/>, <see cref="Inspector"/>, <see cref="Dialer"/>, <see cref="Relay"/> and <see cref="Closer"/> handle the stages of a connection, in this
/// order. Other threads may use only the mailbox, <see cref="Clock"/> and <see cref="Assigned"/>.
/// </summary>
internal sealed class Worker : IDisposable
{
    /// <summary>Timer 0 belongs to the acceptor; the timer of a slot is its index plus one.</summary>
    private const int AcceptTimer = 0;

    /// <summary>
    /// An iteration that begins this much later than its timers require follows a stall; the managed engine has the same limit. Less is no
    /// sign of a stall: an iteration of a busy worker may take some tens of milliseconds, and connect timeouts have to count there too.
    /// </summary>
    private static readonly TimeSpan LateBy = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan PauseAfterFault = TimeSpan.FromMilliseconds(10);

    // Delegates are created here, not where they are used: a lambda allocates its delegate on first use, which may be under load.
    private static readonly Action<Worker, int> AcceptStep = static (w, number) => w.Acceptor.Accept(number);
    private static readonly Action<Worker, (EventTag Tag, PollEvents Events)> HandleStep = static (w, e) => w._dispatcher.Handle(e.Tag, e.Events);
    private static readonly Action<Worker, int> ContinueStep = static (w, index) => w._dispatcher.Continue(index);
    private static readonly Action<Worker, int> DeadlineStep = static (w, index) => w._dispatcher.DeadlinePassed(index);
    private static readonly Action<Worker, int> ResumeStep = static (w, _) => w.Acceptor.Resume();
    private static readonly Action<Worker, Handover> TakeStep = static (w, handover) => w.Acceptor.Take(handover);
    private static readonly Action<Worker, Action<Worker>> RequestStep = static (w, request) => request(w);

    private readonly IPoller _poller;
    private readonly Dispatcher _dispatcher;
    private readonly TimerWheel _wheel;
    private readonly Queue<(int Index, uint Generation)> _ready = new(256);
    private readonly Thread _thread;
    private int _assigned;
    private long _stalls;
    private bool _stopped;
    private bool _mustServeAll;
    private bool _isDisposed;

    /// <exception cref="InvalidOperationException">The kernel provides no poller or no eventfd; everything opened is closed.</exception>
    public Worker(ILoopEngine engine, int number)
    {
        _poller = engine.CreatePoller();
        try
        {
            Mailbox = new Mailbox();
            SysResult registered = _poller.AddInput(Mailbox.Descriptor, EventTag.WakeUp.Value);
            if (registered.IsError)
            {
                Mailbox.Dispose();
                throw new InvalidOperationException($"cannot watch the eventfd: {registered.Errno}");
            }
        }
        catch (InvalidOperationException)
        {
            _poller.Dispose();
            throw;
        }

        Engine = engine;
        Number = number;
        Now = Instant.Now(engine.Options.Clock);
        _wheel = new TimerWheel(Now, TimerFired);
        Pipes = new PipePool(engine.Options.PipesPerWorker, engine.Options.Held);
        Buffers = new BufferPool(engine.Options.Held);
        LongQueues = new LongQueues(Slots);
        Guard = new StepGuard(this);
        _dispatcher = new Dispatcher(this);
        Acceptor = new Acceptor(this);
        Inspector = new Inspector(this);
        Dialer = new Dialer(this);
        ProxySender = new ProxySender(this);
        Transfer = new Transfer(this);
        Relay = new Relay(this);
        Closer = new Closer(this);
        Migration = new Migration(this);
        _thread = new Thread(Run) { Name = $"{ThreadNames.Worker}{number}", IsBackground = true };
    }

    public ILoopEngine Engine { get; }

    public int Number { get; }

    /// <summary>The time at which the current loop iteration began.</summary>
    public Instant Now { get; private set; }

    /// <summary>
    /// The current iteration began much later than its timers require: a deadline that has passed meanwhile proves nothing about a peer.
    /// </summary>
    public bool IsLate { get; private set; }

    /// <summary>
    /// Number of iterations since the start that began more than a tick of the wheel later than required. Any thread may read it.
    /// </summary>
    public long Stalls => Volatile.Read(ref _stalls);

    public SlotTable Slots { get; } = new();

    public BufferPool Buffers { get; }

    /// <summary>Two descriptors and up to 256 KiB of kernel memory per pipe. Streams that get no pipe are copied.</summary>
    public PipePool Pipes { get; }

    public LongQueues LongQueues { get; }

    public Mailbox Mailbox { get; }

    public StepGuard Guard { get; }

    public Acceptor Acceptor { get; }

    public Inspector Inspector { get; }

    public Dialer Dialer { get; }

    public ProxySender ProxySender { get; }

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

    public void Assign() => Interlocked.Increment(ref _assigned);

    public void Unassign()
    {
        Interlocked.Decrement(ref _assigned);
        Engine.CompleteIfEmpty();
    }

    /// <summary>Ends the loop. Must run on the worker's own thread, as a request.</summary>
    public void Stop() => _stopped = true;

    /// <summary>
    /// Joins the thread if it was started, and releases all resources. One caller at a time; must not be called on the worker's own thread.
    /// </summary>
    /// <returns>False if the thread has not ended within this time: a step hangs, and may still use the resources.</returns>
    public bool End(TimeSpan limit)
    {
        if (_thread.ThreadState.HasFlag(ThreadState.Unstarted))
        {
            Mailbox.Close();
        }
        else
        {
            Mailbox.TryPost(static w => w.Stop());
            if (!_thread.Join(limit))
            {
                return false;
            }
        }

        Dispose();
        return true;
    }

    /// <summary>Watches a socket of a connection.</summary>
    public SysResult Register(int descriptor, EventTag tag) => _poller.AddConnection(descriptor, tag.Value);

    public SysResult RegisterListening(LoopListeningSocket listening) =>
        _poller.AddListening(listening.Descriptor, EventTag.Listening(listening.Number).Value);

    public void Unregister(int descriptor) => _poller.Remove(descriptor);

    public void SetTimer(in Slot slot, Instant deadline) => _wheel.Set(slot.Index + 1, deadline);

    public void SetAcceptTimer(Instant deadline) => _wheel.Set(AcceptTimer, deadline);

    /// <summary>Schedules the connection for the next iteration, because its edge-triggered event will not be reported again.</summary>
    public void MakeReady(ref Slot slot)
    {
        if (!slot.IsReady)
        {
            slot.IsReady = true;
            _ready.Enqueue((slot.Index, slot.Generation));
        }
    }

    public void Dispose()
    {
        if (_isDisposed)
        {
            return;
        }

        _isDisposed = true;
        _poller.Dispose();
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
                Guard.Fail(StepGuard.NoSlot, e);
                _mustServeAll = true;
                Thread.Sleep(PauseAfterFault);
            }
        }
    }

    // Edges that the failed iteration had collected are not reported again by themselves, and turns that were due may be lost.
    private void ServeAll()
    {
        for (int index = 0; index < Slots.End; index++)
        {
            ref Slot slot = ref Slots[index];
            if (slot.State == SlotState.Free)
            {
                continue;
            }

            // ENOENT or EBADF: a connection that is being set up does not watch its client or has no backend yet.
            _poller.ReportAgain(slot.Client, EventTag.Client(slot).Value);
            _poller.ReportAgain(slot.Backend, EventTag.Backend(slot).Value);
            if (slot.State == SlotState.Established)
            {
                MakeReady(ref slot);
            }
            else if (slot.State == SlotState.Inspecting)
            {
                MakeReady(ref slot);
            }
        }
    }

    private void Iterate()
    {
        // Measured from the start of the iteration: its duration lengthens the wait slightly, within the accuracy of the timers.
        int wait = _ready.Count > 0 ? 0 : _wheel.WaitFrom(Now);
        Instant before = Now;
        int count = _poller.Wait(wait);
        Now = Instant.Now(Engine.Options.Clock);
        NoteStall(before, wait);
        Dispatch(count);
        if (_wheel.IsDue(Now))
        {
            DispatchAll();
        }

        RunReady();
        _wheel.Advance(Now);
    }

    // Counted where a timer fires later than it should; long iterations without one do no harm. While this process is stopped (SIGSTOP, a paused
    // virtual machine, no free processor), the kernel goes on receiving, so events may wait that are older than the timer.
    private void NoteStall(Instant before, int wait)
    {
        TimeSpan late = wait < 0 ? TimeSpan.Zero : Now - before - TimeSpan.FromMilliseconds(wait);
        IsLate = late > LateBy;
        if (late > TimerWheel.Tick && _wheel.IsDue(Now + (-TimerWheel.Tick)))
        {
            Volatile.Write(ref _stalls, _stalls + 1);
        }
    }

    // Before a timer is believed: what has happened by now is known first. A wait returns a limited number of events, and none if a signal
    // interrupted it. Bounded, because busy connections always have events.
    private void DispatchAll()
    {
        int count;
        int rounds = 1 + (2 * Slots.End / IPoller.EventsPerWait);
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
            Mailbox.Clear();
            ReadMail();
        }
        else if (tag.IsListening)
        {
            Guard.Run(AcceptStep, tag.Index);
        }
        else if (tag.Index < Slots.End && tag.IsOf(Slots[tag.Index]))
        {
            Guard.Run(HandleStep, (tag, events), tag.Index);
        }
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
            Guard.Run(ContinueStep, index, index);
        }
    }

    private void TimerFired(int timer)
    {
        if (timer == AcceptTimer)
        {
            Guard.Run(ResumeStep, 0);
        }
        else
        {
            Guard.Run(DeadlineStep, timer - 1, timer - 1);
        }
    }

    // Only requests that are already queued: those posted meanwhile run after the next batch of events.
    private void ReadMail()
    {
        while (Mailbox.TryTake(out Handover handover))
        {
            Guard.Run(TakeStep, handover);
        }

        for (int i = Mailbox.Requests; i > 0 && Mailbox.TryTake(out Action<Worker>? request); i--)
        {
            Guard.Run(RequestStep, request!);
        }
    }
}
