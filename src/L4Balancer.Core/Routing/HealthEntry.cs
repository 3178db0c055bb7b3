using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Health;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Routing;

/// <summary>The health of one backend, from the snapshot that brought it to the one that no longer has it. One writer.</summary>
internal sealed class HealthEntry(Pool pool, Backend backend)
{
    // The last state that was not checking or on trial: up for a backend that no probe has decided on.
    private HealthState _decided;

    // Without probes: how many addresses of the name have failed one after the other.
    private int _failedAddresses;
    private long _establishedAtMove;

    /// <summary>The pool in the newest snapshot, as is <see cref="Backend"/>.</summary>
    public Pool Pool { get; private set; } = pool;

    public Backend Backend { get; private set; } = backend;

    public BackendState State => Backend.State;

    public HealthTracker Tracker { get; } = new(pool.Settings.Health.Rise, pool.Settings.Health.Fall);

    /// <summary>Without probes: when a trial connection is let through.</summary>
    public Instant TrialAt { get; set; } = Instant.Never;

    public bool IsProbed => Pool.Settings.Health.Type != HealthType.None;

    /// <summary>
    /// The state that the backend would have in that pool. A backend comes back if the check that took it down is switched off there:
    /// probes, or the counting of failed connects. What was found out about another address does not count.
    /// </summary>
    public HealthState StateIn(Pool pool, Backend backend)
    {
        bool probed = pool.Settings.Health.Type != HealthType.None;
        if (BeginsAt(backend))
        {
            return Undecided(pool);
        }

        bool stays = Tracker.IsByConnects ? pool.Settings.Passive.Failures > 0 : probed;
        return !stays ? HealthState.Up : probed && Tracker.State == HealthState.HalfOpen ? HealthState.Down : Tracker.State;
    }

    /// <summary>The state of a backend that joins a running balancer, or whose address is new.</summary>
    public static HealthState Undecided(Pool pool) =>
        pool.Settings.Health.Type == HealthType.None ? HealthState.Up : HealthState.Checking;

    /// <summary>
    /// Whether nothing that is known holds for the same backend of a newer snapshot, because it has another address there. One without an
    /// address keeps what is known, and so does one that clients have found down and that moves on to the next address of its name.
    /// </summary>
    public bool BeginsAt(Backend backend) => backend.IsResolved && backend.Endpoint != Backend.Endpoint
        && !(Tracker is { IsByConnects: true } && !IsProbed && backend.OtherAddresses.Contains(Backend.Endpoint.Address));

    /// <inheritdoc cref="HealthBoard.NextAddress"/>
    public HostAddress? NextAddress(PassiveHealthEvent news, out bool allFailed)
    {
        allFailed = true;
        bool fails = news == PassiveHealthEvent.Failing;
        bool isDown = Tracker.State is HealthState.Down or HealthState.HalfOpen;
        if (IsProbed || Backend.OtherAddresses.IsEmpty || (fails ? isDown : news != PassiveHealthEvent.TrialFailed))
        {
            return null;
        }

        int most = Pool.Settings.Passive.Failures;
        if (fails && (most == 0 || State.Connects.FailedInARow < most))
        {
            // A connect has succeeded meanwhile, or the file has a different limit by now. Read once: connects go on failing.
            State.Connects.Dismiss();
            allFailed = false;
            return null;
        }

        // Connections that were established in between show that an address has worked.
        long established = State.Closed.Total + State.Active;
        _failedAddresses = established == _establishedAtMove ? _failedAddresses + 1 : 1;
        _establishedAtMove = established;
        allFailed = news == PassiveHealthEvent.TrialFailed || _failedAddresses > Backend.OtherAddresses.Length;
        _failedAddresses = allFailed ? 0 : _failedAddresses;
        return Backend.OtherAddresses[0];
    }

    /// <summary>Shows the prober how to go on, and the fleet what probes have found out.</summary>
    public void ShowPlan()
    {
        State.Health.Pace = Tracker.Pace;
        State.Health.KeepsAddress = Tracker.KeepsAddress;
        State.Health.ByProbes = IsProbed && Tracker.IsByProbes ? Tracker.State : null;
    }

    /// <summary>Forgets what is known of the backend: it is new, or has moved to another address.</summary>
    /// <param name="checks">Whether it waits for a probe before it gets connections.</param>
    public void Begin(bool checks)
    {
        if (checks && IsProbed)
        {
            Tracker.Check();
        }
        else
        {
            Tracker.Forget();
        }

        State.Health.Last = null;
        State.Health.Detail = "";
        ShowPlan();
        NoteDecided();
    }

    /// <summary>Counts a change between up, degraded and down.</summary>
    public void CountDecision(Instant now)
    {
        if (_decided != Tracker.State)
        {
            State.Health.CountTransition(now);
        }

        _decided = Tracker.State;
    }

    /// <summary>Goes on with what another process knows of this backend at the same address.</summary>
    public void Continue(CarriedHealth known, Instant now)
    {
        Tracker.Known = known.Tracked with { State = StateOf(known.Tracked) };
        if (StateIn(Pool, Backend) != Tracker.State)
        {
            // What had taken it down does not apply here.
            Tracker.Forget();
        }

        State.Health.Detail = Tracker.State == HealthState.Up ? "" : known.Detail;
        State.Health.Last = IsProbed ? known.Last : null;
        State.Health.ContinueAfter(known.LastTransition);
        State.Connects.Continue(known.FailedConnects, known.ConnectFault, known.IsConnectFaultTold && Tracker.State != HealthState.Up);
        TrialAt = !IsProbed && Tracker.State == HealthState.Down ? (known.TrialAt == Instant.Never ? now : known.TrialAt) : Instant.Never;
        _decided = Tracker.State is HealthState.Checking ? _decided : Tracker.State;
        ShowPlan();
    }

    /// <summary>The state that <see cref="Continue"/> would give a backend of that pool.</summary>
    public static HealthState StateIn(Pool pool, Backend backend, CarriedHealth known)
    {
        var entry = new HealthEntry(pool, backend);
        entry.Tracker.Known = known.Tracked with { State = StateOf(known.Tracked) };
        return entry.StateIn(pool, backend) == entry.Tracker.State ? entry.Tracker.State : HealthState.Up;
    }

    // A trial that was let through has no result here: another one is let through at once.
    private static HealthState StateOf(TrackedHealth tracked) => tracked.State == HealthState.HalfOpen ? HealthState.Down : tracked.State;

    /// <summary>What another process has to know of it.</summary>
    public CarriedHealth Known() => new(Pool.Name, Backend.Name, Backend.Endpoint, Tracker.Known)
    {
        Detail = State.Health.Detail,
        Last = State.Health.Last,
        LastTransition = State.Health.LastTransition,
        FailedConnects = State.Connects.FailedInARow,
        ConnectFault = State.Connects.LastFault,
        IsConnectFaultTold = State.Connects.IsTold,
        TrialAt = TrialAt,
        Status = Pool.StatusOf(Backend.Index),
        StatusSince = State.StatusSince,
    };

    /// <summary>Notes a state that was counted elsewhere, or that no count is due for.</summary>
    public void NoteDecided() =>
        _decided = !Backend.IsResolved ? HealthState.Down : Tracker.State == HealthState.Up ? HealthState.Up : _decided;

    /// <summary>Moves to the same backend in a newer snapshot.</summary>
    public void Sync(Pool pool, Backend backend)
    {
        HealthState state = StateIn(pool, backend);
        bool begins = BeginsAt(backend);
        (Pool, Backend) = (pool, backend);
        Tracker.Retune(pool.Settings.Health.Rise, pool.Settings.Health.Fall);
        if (begins)
        {
            Begin(checks: true);
        }
        else if (state == HealthState.Up && (Tracker.State != HealthState.Up || !IsProbed))
        {
            Tracker.Forget();
        }
        else if (state != Tracker.State)
        {
            Tracker.SetHalfOpen(false);
        }
    }
}
