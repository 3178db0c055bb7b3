using System.Runtime.Versioning;
using L4Balancer.Core.Timing;
using L4Balancer.Engine;

namespace L4Balancer.Upgrade;

/// <summary>
/// The process that is replaced: leads the new one through the steps of an upgrade, over <paramref name="channel"/>. Until a slice of
/// connections is committed, this process still has them, and until <see cref="IUpgradeGiver.GiveUpMain"/> it can go on alone.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class OldSide(
    IUpgradeGiver giver, UpgradeChannel channel, UpgradeRun run, UpgradeFaults faults, UpgradeLimits limits, TimeProvider clock)
{
    public const string AtHello = "old.hello";
    public const string AtPrepared = "old.prepared";
    public const string AtSuspended = "old.suspended";
    public const string AtServing = "old.serving";
    public const string AtStopped = "old.stopped";
    public const string AtFrozen = "old.frozen";
    public const string AtSent = "old.sent";
    public const string AtAnswered = "old.answered";
    public const string AtCommitted = "old.committed";
    public const string AtMoved = "old.moved";
    public const string AtMain = "old.main";
    public const string AtSettled = "old.settled";

    /// <summary>Connections of a slice: their sockets fit into one packet of 253 descriptors (SCM_MAX_FD).</summary>
    internal const int MostInSlice = 126;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(2);

    private readonly Lock _gate = new();
    private readonly HashSet<ulong> _refused = [];
    private bool _isStopping;
    private int _slices;
    private int _moved;

    /// <summary>The reloads that are held back, for the new process to do.</summary>
    public Func<HeldReloads> Reloads { get; init; } = static () => HeldReloads.None;

    /// <summary>Whether the new process may have connections that this one has given up.</summary>
    public bool HasMoved => _moved > 0;

    /// <summary>Whether the new process is the main one: an exception after that changes nothing about it.</summary>
    public bool HasGivenUp { get; private set; }

    /// <summary>
    /// Whether this process may have given up connections of which the new one does not know yet that they are its own. A new process that
    /// is told of a fault would close them; if it is killed without a word, its keeper has them.
    /// </summary>
    public bool IsInDoubt { get; private set; }

    /// <summary>
    /// Blocks until the new process has all that can be moved and this one has none left, or only connections that end here (<see
    /// cref="FinishAsync"/>).
    /// </summary>
    /// <exception cref="UpgradeException">
    /// It cannot go on. Nothing stands still any more; the caller ends the new process, and resumes, unless <see cref="HasGivenUp"/>.
    /// </exception>
    public void Move()
    {
        Greet();
        Prepare();
        Switch();
        MoveConnections();
        Settle();
    }

    /// <summary>
    /// This process is to stop: ends the channel, so that <see cref="Move"/> fails, unless the new process is the main one. A commit under
    /// way is still sent. Any thread.
    /// </summary>
    public void Stop()
    {
        lock (_gate)
        {
            _isStopping = true;
            if (!HasGivenUp && !IsInDoubt)
            {
                channel.Shut();
            }
        }
    }

    /// <summary>
    /// Waits for the connections that end in this process, and reports on them; then the new process goes on without this one.
    /// </summary>
    /// <param name="cancel">This process is to end before they have.</param>
    public async Task FinishAsync(CancellationToken cancel)
    {
        bool isHeard = true;
        Instant reported = Instant.Now(clock);
        while (giver.Open > 0 && !cancel.IsCancellationRequested)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), clock, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            run.Change(now => now with { Left = giver.Open });
            if (isHeard && Instant.Now(clock) - reported > limits.Report)
            {
                isHeard = TrySendRest(UpgradeMessageKind.Rest);
                reported = Instant.Now(clock);
            }
        }

        if (isHeard)
        {
            TrySendRest(UpgradeMessageKind.Done);
        }
    }

    private void Greet()
    {
        UpgradeHello own = giver.Hello;
        channel.Send(UpgradeMessageKind.Hello, own.Write(), limits.Send);
        using UpgradeMessage message = channel.Receive(UpgradeMessageKind.Hello, limits.Hello);
        UpgradeHello other = UpgradeHello.Read(message.Body);
        own.Agree(other);
        if (other.DescriptorLimit < giver.DescriptorsNeeded)
        {
            throw new UpgradeException(
                $"the new process may open {other.DescriptorLimit} descriptors and {giver.DescriptorsNeeded} are needed: "
                + "raise its limit (LimitNOFILE=, ulimit -n)");
        }

        run.Change(now => now with { NewProcess = other.Process });
        faults.At(AtHello);
    }

    /// <summary>
    /// The connections of the last slice that was given up. Until the next slice is answered the new process may not have begun to serve
    /// them; no ledger may have them then.
    /// </summary>
    public IReadOnlyList<UpgradeConnection> Given { get; private set; } = [];

    private void Prepare()
    {
        UpgradeProgress now = run.Now;
        ReadOnlyMemory<byte> image = giver.PrepareAsync().GetAwaiter().GetResult();
        channel.Send(UpgradeMessageKind.Prepare, new UpgradePreparation(now.Id, now.Who, now.Started, image).Write(), limits.Send);
        channel.Receive(UpgradeMessageKind.Prepared, limits.Prepare).Dispose();
        faults.At(AtPrepared);
    }

    private void Switch()
    {
        run.Change(now => now with { Step = UpgradeStep.Switching, Left = giver.Open });
        UpgradeState state = giver.SuspendAsync().GetAwaiter().GetResult();
        faults.At(AtSuspended);
        channel.Send(UpgradeMessageKind.State, state.Write().Span, [.. state.Sockets.Select(static s => s.Descriptor)], limits.Send);
        channel.Receive(UpgradeMessageKind.Serving, limits.Serve).Dispose();
        faults.At(AtServing);
        giver.StopAcceptingAsync().GetAwaiter().GetResult();
        faults.At(AtStopped);
        run.Enter(UpgradeStep.Moving);
        Rehearse();
    }

    // A connection that is being set up may become established later, so the end is: none was connecting before a look that found none.
    private void MoveConnections()
    {
        Instant patience = Instant.Now(clock) + limits.Connecting;
        int passed = 0;
        while (true)
        {
            bool isLast = giver.Connecting == 0 || Instant.Now(clock) > patience;
            IFrozenConnections frozen = OnThisThread.Wait(() => giver.FreezeAsync(MostInSlice))
                ?? throw new UpgradeException("this engine cannot hand connections over: an upgrade needs engine \"epoll\"");
            UpgradeConnection[] sent = [.. frozen.Connections.Where(c => !_refused.Contains(c.Id))];
            if (sent.Length > 0)
            {
                MoveSlice(frozen, sent);
                passed = 0;
                continue;
            }

            // Slices go round: once as many were seen as were refused, nothing else is established.
            passed += frozen.Connections.Count;
            OnThisThread.Wait(frozen.ThawAsync);
            bool isRound = frozen.Connections.Count == 0 || passed >= _refused.Count;
            if (isRound && isLast)
            {
                break;
            }

            if (isRound)
            {
                Thread.Sleep(Pause);
            }
        }

        faults.At(AtMoved);
    }

    // A slice without connections: what both processes do for the first time (pages, code) takes its time before any connection stands
    // still.
    private void Rehearse()
    {
        IFrozenConnections frozen = OnThisThread.Wait(() => giver.FreezeAsync(1))
            ?? throw new UpgradeException("this engine cannot hand connections over: an upgrade needs engine \"epoll\"");
        OnThisThread.Wait(frozen.ThawAsync);
        channel.Send(UpgradeMessageKind.Slice, new UpgradeSlice(++_slices, Instant.Now(clock), giver.Open, []).Write(), limits.Send);
        channel.Receive(UpgradeMessageKind.Answer, limits.Serve).Dispose();
        channel.Send(UpgradeMessageKind.Commit, new UpgradeCommit(_slices, []).Write(), limits.Send);
    }

    private void MoveSlice(IFrozenConnections frozen, UpgradeConnection[] sent)
    {
        SliceAnswer answer;
        try
        {
            faults.At(AtFrozen);
            var slice = new UpgradeSlice(++_slices, Instant.Now(clock), giver.Open, sent);
            channel.Send(UpgradeMessageKind.Slice, slice.Write().Span, slice.Descriptors, limits.Send);
            faults.At(AtSent);
            using UpgradeMessage message = channel.Receive(UpgradeMessageKind.Answer, limits.Answer);
            answer = SliceAnswer.Read(message.Body);
            if (answer.Number != _slices || !answer.Taken.IsSubsetOf(sent.Select(static c => c.Id)))
            {
                throw new UpgradeException($"the new process answered about slice {answer.Number} instead of {_slices}");
            }

            // The slice before is in the new one's ledger since then.
            Given = [];
            faults.At(AtAnswered);
            BeginCommit();
        }
        catch
        {
            OnThisThread.Wait(frozen.ThawAsync);
            throw;
        }

        _moved += answer.Taken.Count;
        Given = [.. sent.Where(c => answer.Taken.Contains(c.Id))];
        IReadOnlyList<RequestedClose> closes = OnThisThread.Wait(() => frozen.CommitAsync(answer.Taken));
        faults.At(AtCommitted);
        channel.Send(UpgradeMessageKind.Commit, new UpgradeCommit(_slices, closes).Write(), limits.Send);
        lock (_gate)
        {
            IsInDoubt = false;
            ThrowIfStopping();
        }

        _refused.UnionWith(sent.Select(static c => c.Id).Where(id => !answer.Taken.Contains(id)));
        run.Change(now => Told(now, answer) with { Moved = _moved, Left = giver.Open });
    }

    // The longest standstill is known to the new process only.
    private static UpgradeProgress Told(UpgradeProgress now, SliceAnswer answer) => now with
    {
        Longest = answer.Longest,
        Lost = answer.Lost,
        Fault = answer.Refused.Length > 0 ? answer.Refused : now.Fault,
    };

    private void BeginCommit()
    {
        lock (_gate)
        {
            ThrowIfStopping();
            IsInDoubt = true;
        }
    }

    // The service manager cannot be told to take this process back, so that it is the last step, after everything that can fail. The new
    // process does not report to the manager before the second message: with NotifyAccess=main (systemd.service(5)) only the main process
    // is heard.
    private void Settle()
    {
        SendRest(UpgradeMessageKind.Rest);
        using UpgradeMessage message = channel.Receive(UpgradeMessageKind.Settled, limits.Serve);
        SliceAnswer answer = SliceAnswer.Read(message.Body);
        Given = [];
        faults.At(AtSettled);
        lock (_gate)
        {
            ThrowIfStopping();
            HasGivenUp = true;
        }

        giver.GiveUpMain(run.Now.NewProcess);
        faults.At(AtMain);
        run.Change(now => Told(now, answer) with { Step = UpgradeStep.Succeeded, Moved = answer.Moved, Left = giver.Open });
        TrySendRest(UpgradeMessageKind.Rest);
    }

    private void ThrowIfStopping()
    {
        if (_isStopping)
        {
            throw new UpgradeException("this process is stopping");
        }
    }

    /// <returns>False if the new process has ended, or does not read. What ends here ends all the same.</returns>
    private bool TrySendRest(UpgradeMessageKind kind)
    {
        try
        {
            SendRest(kind);
            return true;
        }
        catch (UpgradeException)
        {
            return false;
        }
    }

    private void SendRest(UpgradeMessageKind kind)
    {
        HeldReloads held = Reloads();
        var rest = new UpgradeRest(giver.TakeDifferences(), giver.Open) { Reloads = held.Count, ReloadAskedBy = held.Who };
        channel.Send(kind, rest.Write(), limits.Send);
    }
}
