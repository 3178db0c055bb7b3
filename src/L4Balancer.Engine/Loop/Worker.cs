using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// One thread with its own poller, connections and timers. It runs an <see cref="EventLoop"/>; <see cref="Guard"/> runs every step of that.
/// <see cref="Acceptor"/>, <see cref="Inspector"/>, <see cref="Dialer"/>, <see cref="Relay"/> and <see cref="Closer"/> handle the stages of a
/// connection, in this order. Other threads may use only the mailbox, <see cref="Clock"/> and <see cref="Assigned"/>.
/// </summary>
internal sealed class Worker : IDisposable
{
    private readonly IPoller _poller;
    private readonly EventLoop _loop;
    private readonly Thread _thread;
    private int _assigned;
    private int _connecting;
    private bool _isDisposed;

    /// <exception cref="InvalidOperationException">
    /// The kernel provides no poller or no eventfd, or the ledger has no place for it; everything opened is closed.
    /// </exception>
    public Worker(ILoopEngine engine, int number)
    {
        Ledger = engine.Options.Ledger?.Claim(number);
        IPoller? poller = null;
        try
        {
            _poller = poller = engine.CreatePoller();
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
            poller?.Dispose();
            Ledger?.Release();
            throw;
        }

        Engine = engine;
        Number = number;
        _loop = new EventLoop(this, _poller);
        Pipes = new PipePool(engine.Options.PipesPerWorker, engine.Options.Held, Ledger);
        Buffers = new BufferPool(engine.Options.Held);
        LongQueues = new LongQueues(Slots);
        Guard = new StepGuard(this);
        Dispatcher = new Dispatcher(this);
        Acceptor = new Acceptor(this);
        Inspector = new Inspector(this);
        Dialer = new Dialer(this);
        ProxySender = new ProxySender(this);
        Transfer = new Transfer(this);
        Relay = new Relay(this);
        Closer = new Closer(this);
        Notes = new LedgerNotes(this);
        Migration = new Migration(this);
        Adoption = new Adoption(this);
        _thread = new Thread(Run) { Name = $"{ThreadNames.Worker}{number}", IsBackground = true };
    }

    public ILoopEngine Engine { get; }

    public int Number { get; }

    /// <summary>The time at which the current loop iteration began.</summary>
    public Instant Now => _loop.Now;

    /// <summary>
    /// The current iteration began much later than its timers require: a deadline that has passed meanwhile proves nothing about a peer.
    /// </summary>
    public bool IsLate => _loop.IsLate;

    /// <summary>
    /// Number of iterations since the start that began more than a tick of the wheel later than required. Any thread may read it.
    /// </summary>
    public long Stalls => _loop.Stalls;

    public SlotTable Slots { get; } = new();

    public BufferPool Buffers { get; }

    /// <summary>Two descriptors and up to 256 KiB of kernel memory per pipe. Streams that get no pipe are copied.</summary>
    public PipePool Pipes { get; }

    /// <summary>Null: connections are not noted.</summary>
    public WorkerLedger? Ledger { get; }

    public LongQueues LongQueues { get; }

    public Mailbox Mailbox { get; }

    public StepGuard Guard { get; }

    public Dispatcher Dispatcher { get; }

    public Acceptor Acceptor { get; }

    public Inspector Inspector { get; }

    public Dialer Dialer { get; }

    public ProxySender ProxySender { get; }

    public Transfer Transfer { get; }

    public Relay Relay { get; }

    public Closer Closer { get; }

    public LedgerNotes Notes { get; }

    public Migration Migration { get; }

    public Adoption Adoption { get; }

    /// <summary>CPU time used by the thread. Any thread may read it.</summary>
    public ThreadClock Clock { get; } = new();

    /// <summary>Connections of this thread, including those still being handed over to it. Any thread may read it.</summary>
    public int Assigned => Volatile.Read(ref _assigned);

    /// <summary>Those of <see cref="Assigned"/> that are not established yet. Any thread may read it.</summary>
    public int Connecting => Volatile.Read(ref _connecting);

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

    /// <summary>A connection becomes one of this thread. Any thread may call.</summary>
    /// <param name="isEstablished">It comes from another engine; otherwise <see cref="NoteEstablished"/> is to follow.</param>
    public void Assign(bool isEstablished)
    {
        if (!isEstablished)
        {
            Interlocked.Increment(ref _connecting);
        }

        Interlocked.Increment(ref _assigned);
    }

    /// <summary>A backend is connected.</summary>
    public void NoteEstablished() => Interlocked.Decrement(ref _connecting);

    /// <param name="isEstablished">Whether it was established when it ended.</param>
    public void Unassign(bool isEstablished)
    {
        if (!isEstablished)
        {
            Interlocked.Decrement(ref _connecting);
        }

        Interlocked.Decrement(ref _assigned);
        Engine.CompleteIfEmpty();
    }

    /// <summary>Ends the loop. Must run on the worker's own thread, as a request.</summary>
    public void Stop() => _loop.Stop();

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

    public void SetTimer(in Slot slot, Instant deadline) => _loop.Timers.Set(slot.Index + 1, deadline);

    public void SetAcceptTimer(Instant deadline) => _loop.Timers.Set(EventLoop.AcceptTimer, deadline);

    /// <summary>Schedules the connection for the next iteration, because its edge-triggered event will not be reported again.</summary>
    public void MakeReady(ref Slot slot) => _loop.MakeReady(ref slot);

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
        Ledger?.Release();
    }

    private void Run()
    {
        Clock.Begin();
        _loop.Run();
        Clock.End();

        // Answer requests that were posted after the last iteration, so that their callers complete. No connection is left.
        Mailbox.Close();
        _loop.ReadMail();
    }
}
