using System.Runtime.Versioning;
using L4Balancer.Core.Timing;
using L4Balancer.Engine;

namespace L4Balancer.Upgrade;

/// <summary>
/// The process that takes over. Its daemon calls the steps in their order while it starts, and then <see cref="FollowAsync"/>. Every step
/// but that blocks, and throws <see cref="UpgradeException"/> where the upgrade cannot go on: then this process ends, and the old one goes
/// on.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class NewSide(UpgradeChannel channel, UpgradeFaults faults, UpgradeLimits limits, TimeProvider clock) : IDisposable
{
    public const string AtHello = "new.hello";
    public const string AtPrepare = "new.prepare";
    public const string AtPrepared = "new.prepared";
    public const string AtState = "new.state";
    public const string AtServing = "new.serving";
    public const string AtSlice = "new.slice";
    public const string AtAnswered = "new.answered";
    public const string AtCommitted = "new.committed";
    public const string AtTaken = "new.taken";
    public const string AtRest = "new.rest";
    public const string AtSettled = "new.settled";

    private UpgradeRun? _run;
    private TimeSpan _longest;
    private int _moved;
    private int _lost;
    private int _reloads;
    private bool _isSettled;
    private bool _isMain;

    /// <summary>The upgrade as this process sees it; null before <see cref="Prepare"/>.</summary>
    public UpgradeRun? Run => _run;

    /// <summary>The old process.</summary>
    public int OldProcess { get; private set; }

    /// <summary>Both processes say who they are.</summary>
    public UpgradeHello Greet(UpgradeHello own)
    {
        if (faults.Is(AtHello, "other-version"))
        {
            own = own with { Lowest = UpgradeHello.Current + 1, Highest = UpgradeHello.Current + 1 };
        }
        else if (faults.Is(AtHello, "next-version") || faults.Is(AtHello, "next-mandatory"))
        {
            own = own with
            {
                Highest = UpgradeHello.Current + 1,
                Later = faults.Is(AtHello, "next-version") ? UpgradeLaterVersion.Optional : UpgradeLaterVersion.Mandatory,
            };
        }

        faults.At(AtHello);
        using UpgradeMessage message = channel.Receive(UpgradeMessageKind.Hello, limits.Hello);
        UpgradeHello other = UpgradeHello.Read(message.Body);
        OldProcess = other.Process;
        channel.Send(UpgradeMessageKind.Hello, own.Write(), limits.Send);
        own.Agree(other);
        return other;
    }

    /// <summary>What must be known before anything is built.</summary>
    public UpgradePreparation Prepare()
    {
        using UpgradeMessage message = channel.Receive(UpgradeMessageKind.Prepare, limits.Hello);
        UpgradePreparation preparation = UpgradePreparation.Read(message.Body);
        _run = new UpgradeRun(new UpgradeProgress(preparation.Run, preparation.Who, preparation.Started)
        {
            Step = UpgradeStep.Starting,
            OldProcess = OldProcess,
            NewProcess = Environment.ProcessId,
        }, clock);
        faults.At(AtPrepare);
        return preparation;
    }

    /// <summary>All is built that does not listen.</summary>
    /// <returns>The state of the old process, which has stopped to answer about it. The descriptors are the caller's.</returns>
    public UpgradeState Prepared()
    {
        faults.At(AtPrepared);
        channel.Send(UpgradeMessageKind.Prepared, default, limits.Send);
        using UpgradeMessage message = channel.Receive(UpgradeMessageKind.State, limits.Serve);
        UpgradeState state = UpgradeState.Read(message);
        _run!.Enter(UpgradeStep.Switching);
        faults.At(AtState);
        return state;
    }

    /// <summary>Every listening socket is served.</summary>
    public void Serving()
    {
        channel.Send(UpgradeMessageKind.Serving, default, limits.Send);
        _run!.Enter(UpgradeStep.Moving);
        faults.At(AtServing);
    }

    /// <summary>This process gives up, and says why to the old one.</summary>
    public void GiveUp(string why) => channel.TrySendFault(why);

    /// <summary>Takes the connections, until the old process has ended; completes then. On a thread of its own.</summary>
    public void Follow(IUpgradeTaker taker)
    {
        try
        {
            while (FollowOne(taker))
            {
            }
        }
        catch (UpgradeException e)
        {
            Broken(taker, e);
        }
    }

    /// <summary>Blocks until the old process has ended, which it does soon after its last message.</summary>
    /// <returns>False if it lives on: then it has taken everything back, and ends this one.</returns>
    public bool WaitForEnd() => channel.Peer is not { } old || old.Wait(limits.Commit);

    public void Dispose() => channel.Dispose();

    /// <returns>False after the last message.</returns>
    private bool FollowOne(IUpgradeTaker taker)
    {
        using UpgradeMessage message = channel.Receive(
            limits.Quiet, UpgradeMessageKind.Slice, UpgradeMessageKind.Rest, UpgradeMessageKind.Done);
        switch (message.Kind)
        {
            case UpgradeMessageKind.Slice:
                Take(taker, UpgradeSlice.Read(message, out string? refused), refused);
                return true;
            case UpgradeMessageKind.Rest:
                faults.At(AtRest);
                Rest(taker, UpgradeRest.Read(message.Body), isLast: false);
                return true;
            default:
                Rest(taker, UpgradeRest.Read(message.Body), isLast: true);
                return false;
        }
    }

    private void Take(IUpgradeTaker taker, UpgradeSlice slice, string? refused)
    {
        faults.At(AtSlice);
        List<UpgradeConnection> taken = [];
        if (taker.WhyNot is string whyNot)
        {
            UpgradeSlice.Close(slice.Descriptors);
            GiveUp(whyNot);
            throw new UpgradeException(whyNot);
        }

        foreach (UpgradeConnection connection in slice.Connections)
        {
            if (taker.Accepts(connection, out string why))
            {
                taken.Add(connection);
            }
            else
            {
                refused = why;
                UpgradeSlice.Close(connection.Descriptors);
            }
        }

        foreach (AdoptFailure failure in OnThisThread.Wait(() => taker.PlaceAsync(taken)))
        {
            refused = failure.Error;
            taken.RemoveAll(c => c.Id == failure.Id);
        }

        UpgradeCommit? commit = AwaitCommit(Answer(slice.Number, taken.Select(static c => c.Id).ToHashSet(), refused ?? ""));
        if (commit is null)
        {
            OnThisThread.Wait(taker.LetGoAsync);
            throw new UpgradeException("the old process went on with connections that were about to be moved");
        }

        faults.At(AtCommitted);
        _lost += OnThisThread.Wait(() => taker.ServeAsync(commit.Closes));
        _moved += taken.Count;
        TimeSpan stood = Instant.Now(clock) - slice.Frozen;
        _longest = taken.Count > 0 && stood > _longest ? stood : _longest;
        int left = Math.Max(0, slice.Open - taken.Count);
        _run!.Change(now => now with { Moved = _moved, Left = left, Longest = _longest, Lost = _lost, Fault = refused ?? now.Fault });
        faults.At(AtTaken, () => taker.WhyNot is not null);
    }

    /// <summary>
    /// Answers a slice. Only the old process knows whether it has given the connections up. If it has ended, nobody else serves them. If it
    /// is silent, it may have given them up or may still go on with them: it is ended, so that only one process can serve them. If only the
    /// channel has ended, it is about to end this process or itself: until then the descriptors are kept, so that a keeper holds them.
    /// </summary>
    /// <returns>Null if it says that it goes on with them.</returns>
    private UpgradeCommit? AwaitCommit(SliceAnswer answer)
    {
        try
        {
            channel.Send(UpgradeMessageKind.Answer, answer.Write(), limits.Send);
            faults.At(AtAnswered);
            using UpgradeMessage message = channel.Receive(limits.Commit, UpgradeMessageKind.Commit, UpgradeMessageKind.Fault);
            return message.Kind == UpgradeMessageKind.Fault ? null : UpgradeCommit.Read(message.Body);
        }
        catch (UpgradeSilenceException)
        {
            channel.Peer?.Kill();
        }
        catch (UpgradeException)
        {
            // Also a process that is killed closes its end a moment before it has ended.
        }

        channel.Peer?.Wait(limits.Quiet);
        return new UpgradeCommit(answer.Number, []);
    }

    private SliceAnswer Answer(int number, IReadOnlySet<ulong> taken, string refused) =>
        new(number, taken, refused) { Longest = _longest, Moved = _moved, Lost = _lost };

    // The first is answered; with the second the old process has told the service manager who the main one is.
    private void Rest(IUpgradeTaker taker, UpgradeRest rest, bool isLast)
    {
        // Once this is settled, the old process may have given up: whether this is the main process is for that one to say.
        if (!_isSettled && taker.WhyNot is string why)
        {
            GiveUp(why);
            throw new UpgradeException(why);
        }

        taker.Add(rest.Image);
        if (rest.Reloads > _reloads)
        {
            _reloads = rest.Reloads;
            taker.Reload(rest.ReloadAskedBy);
        }

        if (!_isSettled && !isLast)
        {
            _isSettled = true;
            _run!.Change(now => now with { Left = rest.Stayed });
            channel.Send(UpgradeMessageKind.Settled, Answer(0, new HashSet<ulong>(), "").Write(), limits.Send);
            faults.At(AtSettled);
            return;
        }

        _run!.Change(now => now with { Step = UpgradeStep.Succeeded, Left = rest.Stayed });
        if (!_isMain)
        {
            _isMain = true;
            taker.BecomeMain();
        }
    }

    private void Broken(IUpgradeTaker taker, UpgradeException why)
    {
        if (channel.Peer is not { } old || old.Wait(limits.Answer))
        {
            _run!.Change(now => now with { Step = UpgradeStep.Succeeded, Left = 0, Fault = _isMain ? now.Fault : why.Message });
            (_isMain ? taker.RecoverAsync() : taker.GoOnAloneAsync(why.Message)).GetAwaiter().GetResult();
        }
        else
        {
            // It ends this process when it goes on alone.
            _run!.Fail(why.Message);
        }
    }
}
