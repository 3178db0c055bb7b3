using System.Collections.Immutable;
using L4Balancer.Core.Fleet;
using L4Balancer.Etcd;
using L4Balancer.Stores;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Fleet;

/// <summary>
/// The lease of this balancer, and the key under it in which it publishes itself. A key of another process is never replaced: two processes with one
/// id are a mistake, and the later one is not seen until the other is gone. For one caller at a time.
/// </summary>
internal sealed class FleetMembership(
    EtcdClient client, FleetKeys keys, FleetState state, FleetMember self, TimeSpan ttl, string fleet, TimeProvider clock, ILogger log)
{
    private readonly string _key = keys.Member(self.Id);
    private FleetMember _self = self;
    private long _lease;
    private long _revision;
    private byte[] _published = [];
    private long _publishedAt;
    private long _heldSince;
    private bool _isHeld;

    /// <summary>A change is published at once, and the next one no sooner than this: probes of many backends end at the same time.</summary>
    public static readonly TimeSpan BetweenViews = TimeSpan.FromMilliseconds(500);

    public bool IsJoined => _revision != 0;

    /// <summary>When the next view may be written; zero: now.</summary>
    public TimeSpan UntilNextView =>
        _publishedAt == 0 || clock.GetElapsedTime(_publishedAt) is var since && since >= BetweenViews ? TimeSpan.Zero : BetweenViews - since;

    /// <summary>Renews the lease, or gets one, and joins with it.</summary>
    /// <returns>Why the store cannot be used; empty if it can.</returns>
    public async Task<string> RenewAsync(FleetMember view, CancellationToken stop)
    {
        if (_lease != 0)
        {
            StoreResult<EtcdLease> kept = await client.KeepAliveAsync(_lease, stop);
            if (!kept.IsOk)
            {
                return kept.Fault;
            }

            if (kept.Value.Ttl == TimeSpan.Zero)
            {
                log.FleetLeaseLost(fleet, _self.Id);
                (_lease, _revision) = (0, 0);
            }
        }

        if (_lease == 0)
        {
            StoreResult<EtcdLease> granted = await client.GrantAsync(ttl, stop);
            if (!granted.IsOk)
            {
                return granted.Fault;
            }

            _lease = granted.Value.Id;
        }

        if (IsJoined && !state.HasSelf())
        {
            _revision = 0;
        }

        return IsJoined ? "" : await JoinAsync(view, stop);
    }

    /// <summary>Writes what this balancer says now, if that has changed.</summary>
    /// <returns>Why the store cannot be used; empty if it can.</returns>
    public async Task<string> PublishAsync(FleetMember view, CancellationToken stop)
    {
        byte[] value = MemberDocument.Write(view);
        if (!IsJoined || value.AsSpan().SequenceEqual(_published) || UntilNextView > TimeSpan.Zero)
        {
            return "";
        }

        return await WriteAsync(value, EtcdCompare.ModifiedAt(_key, _revision), stop);
    }

    /// <summary>What another process needs to go on with the lease and the key. None of the other members may run meanwhile or later.</summary>
    public CarriedMembership Carried(IEnumerable<FleetMember> members) =>
        new(_self.Instance, _lease, _revision, members.ToDictionary(static m => m.Id, MemberDocument.Of));

    /// <summary>Goes on with the lease and the key of another process. To be called before the first renewal.</summary>
    public void GoOnAs(CarriedMembership before)
    {
        _self = _self with { Instance = before.Instance };
        (_lease, _revision) = (before.Lease, before.Lease == 0 ? 0 : before.Revision);
    }

    /// <summary>Leaves at once, so that the others need not wait until the lease ends.</summary>
    public async Task LeaveAsync(CancellationToken stop)
    {
        if (_lease != 0)
        {
            await client.RevokeAsync(_lease, stop);
            (_lease, _revision) = (0, 0);
        }
    }

    private Task<string> JoinAsync(FleetMember view, CancellationToken stop) => WriteAsync(MemberDocument.Write(view), EtcdCompare.Missing(_key), stop);

    private async Task<string> WriteAsync(byte[] value, EtcdCompare condition, CancellationToken stop)
    {
        StoreResult<EtcdWritten> written = await client.CommitAsync(
            new EtcdTransaction { If = [condition], Then = [EtcdOperation.Put(_key, value, _lease)], Else = [EtcdOperation.Get(_key)] }, stop);
        if (!written.IsOk)
        {
            return written.Fault;
        }

        if (written.Value.Succeeded)
        {
            bool isNew = !IsJoined;
            Joined(value, written.Value.Revision);
            if (isNew)
            {
                log.FleetJoined(fleet, _self.Id);
            }

            return "";
        }

        return await FoundAsync(written.Value.Found, value, stop);
    }

    private async Task<string> FoundAsync(ImmutableArray<EtcdEntry> found, byte[] value, CancellationToken stop)
    {
        _revision = 0;
        if (found is not [{ } there])
        {
            // It has gone meanwhile: the next renewal joins.
            return "";
        }

        FleetMember? holder = MemberDocument.Read(_self.Id, there.Value.Span);
        if (holder is null || holder.Instance == _self.Instance)
        {
            // Written by this process, whose answer got lost or whose lease has ended; or by nobody who could be a balancer.
            return await WriteAsync(value, EtcdCompare.ModifiedAt(_key, there.Modified), stop);
        }

        Hold(holder);
        return "";
    }

    private void Joined(byte[] value, long revision)
    {
        (_published, _publishedAt, _revision) = (value, clock.GetTimestamp(), revision);
        (_isHeld, _heldSince) = (false, 0);
        state.SetHeldBy("");
        state.Wrote(_key, new EtcdEntry(_key, value, revision, revision, _lease), revision);
    }

    // A process that has died keeps the id for one lease; one that is restarted sees its own predecessor.
    private void Hold(FleetMember holder)
    {
        _heldSince = _heldSince == 0 ? clock.GetTimestamp() : _heldSince;
        if (!_isHeld && clock.GetElapsedTime(_heldSince) > ttl + ttl)
        {
            _isHeld = true;
            log.FleetIdTaken(fleet, _self.Id, holder.Host, holder.Started);
            state.SetHeldBy(holder.Host);
        }
    }
}
