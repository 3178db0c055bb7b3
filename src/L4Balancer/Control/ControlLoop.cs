using System.Diagnostics;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Fleet;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Routing;
using L4Balancer.Engine;
using L4Balancer.Engine.Probing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// Applies changes to what is in force: the configuration, what operators set at run time, and health. No other code does, and it is called
/// for one change at a time, so that the code behind it needs no lock.
/// </summary>
internal sealed class ControlLoop(
    SnapshotPublisher publisher, HealthControl health, SlowStarts slowStarts, PacedCloses closes, ListenControl listening, NameControl names,
    DiscoveryControl discovery, Reload reload, OverrideControl overrides, PacketControl packets, ControlEvents events, ILogger log)
{
    public void Apply(Change change)
    {
        try
        {
            Dispatch(change);
        }
        finally
        {
            // Whatever it was, it may have changed whether a pool has a backend for new connections.
            listening.Sync();
            packets.Sync();
        }
    }

    private void Dispatch(Change change)
    {
        switch (change)
        {
            case ProbeReported probe:
                Apply(probe.Report);
                break;
            case ConnectReported connect:
                Apply(connect);
                break;
            case TrialDue:
                health.AllowTrials();
                break;
            case ListenDue:
                listening.TryAgain();
                break;
            case PacketsDue:
                packets.Publish();
                break;
            case SlowStartTick:
                slowStarts.Grow();
                break;
            case NamesChanged:
                ApplyNames();
                break;
            case DiscoveryReported:
                ApplyDiscovery();
                break;
            case ReloadBegun begun:
                events.OnReloadBegins();
                begun.Complete(true);
                break;
            case ReloadRead read:
                read.Complete(Apply(read));
                break;
            case ModeSet mode:
                mode.Complete(Apply(mode));
                break;
            case WeightSet weight:
                weight.Complete(Apply(weight));
                break;
            case OverridesEnd:
                Follow(publisher.Now.Desired);
                break;
            case IntentsRead read:
                Apply(read);
                break;
            case PeersChanged peers:
                health.Apply(peers.Peers);
                break;
            case RebalanceStarted rebalance:
                rebalance.Complete(Apply(rebalance));
                break;
            case RebalanceStopped stop:
                stop.Complete(Apply(stop));
                break;
            case ConnectionsClosed close:
                log.FilteredCloseBegins(close.Count, close.Filter.Text, close.Who);
                closes.CloseMatching(close.Filter, close.Pools, close.PerSecond);
                close.Complete(true);
                break;
            case KnowledgeAsked asked:
                asked.Complete(new ControlKnowledge(publisher.Now.Desired, health.Known(), [.. slowStarts.Known()], closes.Carried()));
                break;
            case PreparationCame came:
                Follow(publisher.Now.Desired with { Overrides = came.Later.OverridesFor(publisher.Now.Config) });
                came.Complete(true);
                break;
            case SurvivorsCame came:
                came.Complete(publisher.Publish(came.Survivors.JoinTo));
                break;
            case ShedsCame came:
                came.Complete(closes.Continue(came.Sheds, came.FilterOf));
                break;
            default:
                throw new UnreachableException($"{change.GetType()} is not a change that the control loop applies");
        }
    }

    // A report about another address than the backend's says that this one answers, and the backend's does not.
    private void Apply(ProbeReport report)
    {
        if (report.Address == report.Backend.Endpoint.Address)
        {
            health.OnProbeResult(report);
        }
        else if (Move(report.Backend, report.Address) is ({ } pool, { } backend))
        {
            health.OnProbeResult(report with { Pool = pool, Backend = backend });
        }
    }

    private void Apply(ConnectReported connect)
    {
        HostAddress? next = health.NextAddress(connect.Backend, connect.News, out bool allFailed);
        if (allFailed)
        {
            health.OnPassiveEvent(connect.Backend, connect.News);
        }

        if (next is { } address && health.Known(connect.Backend) is (_, { } backend))
        {
            Move(backend, address);
        }
    }

    /// <returns>The backend at its new address; null if it has not moved.</returns>
    private (Pool Pool, Backend Backend)? Move(Backend backend, HostAddress address)
    {
        // The report may concern a snapshot that is no longer in force.
        ActiveConfig before = publisher.Now;
        if (before.Find(backend.State.Pool, backend.Name) is not (_, { } current) || current.State != backend.State
            || current.Endpoint != backend.Endpoint || current.Settings.Host is not { } name)
        {
            return null;
        }

        Resolutions moved = before.Desired.Names.With(backend.State.Pool, name, address);
        if (moved == before.Desired.Names || !Publish(before.Desired with { Names = moved }))
        {
            return null;
        }

        (Pool Pool, Backend Backend)? now = publisher.Now.Find(backend.State.Pool, backend.Name);
        log.BackendMoved(backend.State.Pool, backend.Name, backend.Settings.Address, backend.Endpoint.ToString(), now!.Value.Backend.Endpoint.ToString());
        return now;
    }

    private bool Publish(DesiredState desired)
    {
        IReadOnlyList<ListenFailure> failures = publisher.Publish(desired);
        foreach (ListenFailure failure in failures)
        {
            log.NamesNotInForce(failure.Message);
        }

        return failures.Count == 0;
    }

    private ReloadResult Apply(ReloadRead read)
    {
        try
        {
            return reload.Apply(read.Read, read.Who);
        }
        finally
        {
            events.OnReloadEnds();
        }
    }

    private bool Apply(ModeSet set)
    {
        ActiveConfig now = publisher.Now;
        IReadOnlyList<BackendState> removed = now.FindRemoved(set.Pool, set.Backend);
        if (now.Find(set.Pool, set.Backend) is not ({ } pool, { } backend))
        {
            return DrainRemoved(set, removed);
        }

        BackendMode before = now.Desired.Overrides[set.Pool, set.Backend].Mode;
        publisher.Amend(now.Desired.WithOverride(set.Pool, set.Backend, overrides.WithMode(now.Desired, set)));
        SetMode(pool, backend, before, set.Mode);
        log.ModeSet(set.Pool, set.Backend, NameOf(set.Mode), set.Who);
        packets.ModeSet(pool, backend, set.Mode);
        closes.ModeSet(pool, backend, set.CloseRate, removed);
        events.OnHealthChanged();
        return true;
    }

    private void SetMode(Pool pool, Backend backend, BackendMode before, BackendMode mode)
    {
        if (mode == BackendMode.Ready && before != BackendMode.Ready)
        {
            slowStarts.Begin(backend.State);
        }

        pool.SetMode(backend.Index, mode);
        health.ModeSet(pool, backend);
    }

    private static string NameOf(BackendMode mode) => mode.ToString().ToLowerInvariant();

    private void Apply(IntentsRead read)
    {
        DesiredState desired = publisher.Now.Desired;
        if (read.IsRestarted)
        {
            desired = desired with { Overrides = overrides.AllUnshared(desired.Overrides) };
        }

        overrides.Shared = read.Intents;
        Follow(desired);
    }

    // What holds now: what the fleet wants, without what has ended.
    private void Follow(DesiredState wanted)
    {
        ActiveConfig now = publisher.Now;
        DesiredState next = overrides.Complete(wanted);
        if (next.Overrides == now.Desired.Overrides)
        {
            overrides.Follow(next);
            return;
        }

        bool weighs = false;
        bool turns = false;
        DesiredState modes = now.Desired;
        foreach (Pool pool in now.Snapshot.Pools)
        {
            foreach (Backend backend in pool.Backends)
            {
                BackendOverride before = now.Desired.Overrides[pool.Name, backend.Name];
                BackendOverride after = next.Overrides[pool.Name, backend.Name];
                modes = modes.WithOverride(pool.Name, backend.Name, after with { Weight = before.Weight, WeightOrigin = before.WeightOrigin });
                if (after.Mode != before.Mode)
                {
                    turns = true;
                    SetMode(pool, backend, before.Mode, after.Mode);
                    log.ModeSet(pool.Name, backend.Name, NameOf(after.Mode), overrides.WhoSetMode(pool.Name, backend.Name, before, after));
                    packets.ModeSet(pool, backend, after.Mode);
                    closes.ModeSet(pool, backend, null, []);
                }

                if (after.Weight != before.Weight)
                {
                    weighs = true;
                    log.WeightSet(
                        pool.Name, backend.Name, after.Weight ?? backend.Settings.Weight, overrides.WhoSetWeight(pool.Name, backend.Name, before, after));
                }
            }
        }

        if (!weighs || !Publish(next))
        {
            publisher.Amend(weighs ? modes : next);
        }

        if (turns)
        {
            events.OnHealthChanged();
        }
    }

    // A backend that has left the configuration can only be drained.
    private bool DrainRemoved(ModeSet set, IReadOnlyList<BackendState> removed)
    {
        if (set.Mode != BackendMode.Draining || removed.Count == 0)
        {
            return false;
        }

        log.ModeSet(set.Pool, set.Backend, NameOf(set.Mode), set.Who);
        closes.DrainRemoved(removed, set.CloseRate, new RateLimiter());
        return true;
    }

    private bool Apply(WeightSet set)
    {
        ActiveConfig now = publisher.Now;
        if (now.Find(set.Pool, set.Backend) is not (_, { } backend))
        {
            return false;
        }

        IReadOnlyList<ListenFailure> failures = publisher.Publish(
            now.Desired.WithOverride(set.Pool, set.Backend, overrides.WithWeight(now.Desired, set, backend.Settings.Weight)));
        if (failures.Count > 0)
        {
            throw new InvalidOperationException($"the weight was not set: {failures[0].Message}");
        }

        log.WeightSet(set.Pool, set.Backend, set.Weight, set.Who);
        return true;
    }

    private RebalancePlan? Apply(RebalanceStarted start)
    {
        if (publisher.Now.Snapshot.Pools.FirstOrDefault(p => p.Name == start.Pool) is not Pool pool)
        {
            return null;
        }

        log.RebalanceAsked(start.Pool, start.Who);
        return closes.Rebalance(pool, start.Tolerance, start.PerSecond);
    }

    private RebalanceEnd Apply(RebalanceStopped stop)
    {
        if (publisher.Now.Snapshot.Pools.All(p => p.Name != stop.Pool))
        {
            return new RebalanceEnd(PoolExists: false, Closed: null);
        }

        long? closed = closes.EndRebalance(stop.Pool);
        if (closed is not null)
        {
            log.RebalanceStopped(stop.Pool, stop.Who);
        }

        return new RebalanceEnd(PoolExists: true, closed);
    }

    private void ApplyDiscovery()
    {
        DesiredState before = publisher.Now.Desired;
        DesiredState after = discovery.Apply(before);
        if (after.Discovered == before.Discovered && after.Overrides == before.Overrides)
        {
            return;
        }

        IReadOnlyList<ListenFailure> failures = publisher.Publish(after);
        foreach (ListenFailure failure in failures)
        {
            log.DiscoveredNotInForce(failure.Message);
        }

        if (failures.Count > 0)
        {
            discovery.TryAgain();
        }

        discovery.Complain(publisher.Now.Desired.Discovered);
    }

    private void ApplyNames()
    {
        ActiveConfig before = publisher.Now;
        Resolutions resolutions = names.After(before.Desired.Names, before.Config);
        if (resolutions != before.Desired.Names)
        {
            Publish(before.Desired with { Names = resolutions });
        }

        if (publisher.Now.Snapshot == before.Snapshot)
        {
            // The addresses are the same, but the reason why a name has none may have changed.
            names.Commit(before.Snapshot, before.Snapshot);
        }
    }
}
