using System.Collections.Immutable;
using L4Balancer.Control;
using L4Balancer.Core.Config;
using L4Balancer.Core.Fleet;
using L4Balancer.Core.Health;
using L4Balancer.Etcd;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Fleet;

/// <summary>
/// What is known of the fleet, and whether its store can be used. Passes on to the control plane what operators want and what the other balancers
/// say. Any thread; never blocks.
/// </summary>
internal sealed class FleetState
{
    private const string NotRead = "it has not been read yet";

    private readonly Lock _gate = new();
    private readonly FleetSettings _settings;
    private readonly FleetKeys _keys;
    private FleetMember _self;
    private readonly BalancerControl _control;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly FleetBook _book;
    private readonly HashSet<string> _complained = [];
    private string _readFault = NotRead;
    private string _leaseFault = "";
    private PeerViews? _peers;
    private FleetIntents _intents = FleetIntents.None;
    private volatile FleetStatus _status;

    public FleetState(FleetSettings settings, FleetKeys keys, FleetMember self, BalancerControl control, TimeProvider clock, ILogger log)
    {
        (_settings, _keys, _self, _control, _clock, _log) = (settings, keys, self, control, clock, log);
        _book = new FleetBook(keys);
        _status = new FleetStatus(settings.Name, self.Id, _readFault, clock.GetUtcNow(), "", [], FleetStatus.Compare([]), FleetIntents.None);
    }

    public FleetStatus Status => _status;

    public string? Marker
    {
        get
        {
            lock (_gate)
            {
                return _book.Marker;
            }
        }
    }

    /// <summary>This process goes on as the instance of the one before it, and with what that knew. To be called before the store is read.</summary>
    public void GoOnAs(CarriedMembership before)
    {
        lock (_gate)
        {
            _self = _self with { Instance = before.Instance };
            foreach ((string id, MemberDocument document) in before.Members ?? new Dictionary<string, MemberDocument>())
            {
                _book.Put(_keys.Member(id), new EtcdEntry(_keys.Member(id), document.ToBytes(), 1, 1, 0), 1);
            }

            ImmutableArray<FleetMember> members = _book.Members;
            _status = _status with { Members = members, Compared = FleetStatus.Compare(members) };
        }
    }

    /// <summary>Another process on this host has the id of this one; empty: none.</summary>
    public void SetHeldBy(string host)
    {
        lock (_gate)
        {
            _status = _status with { HeldBy = host };
        }
    }

    /// <summary>The store is about to be read as a whole.</summary>
    public void BeginRead()
    {
        lock (_gate)
        {
            _book.BeginListing();
        }
    }

    /// <summary>The store has been read as a whole, or could not be.</summary>
    /// <param name="fault">Why not; empty if it has been.</param>
    public void Read(EtcdListing? listing, string fault)
    {
        lock (_gate)
        {
            _readFault = fault;
            bool isLost = listing is not null && _book.Replace(listing);
            if (isLost)
            {
                _log.FleetStoreLost(_settings.Name);
            }

            Publish(isLost || listing is not null, isLost);
        }
    }

    /// <summary>The membership could be renewed, or could not.</summary>
    /// <param name="fault">Why not; empty if it could.</param>
    /// <returns>Whether the store could not be used before.</returns>
    public bool Renewed(string fault)
    {
        lock (_gate)
        {
            bool wasAway = _leaseFault.Length > 0;
            if (_leaseFault != fault)
            {
                _leaseFault = fault;
                Publish(intents: false, isLost: false);
            }

            return wasAway;
        }
    }

    /// <returns>False: the store has lost what it had; everything has to be read again, and nothing of this was taken over.</returns>
    public bool Take(EtcdChanges changes)
    {
        lock (_gate)
        {
            if (_book.Loses(changes))
            {
                return false;
            }

            foreach ((string key, EtcdEntry? entry, long revision) in changes.Changes)
            {
                _book.Put(key, entry, revision);
            }

            Publish(changes.Changes.Any(c => _keys.IntentOf(c.Key) is not null), isLost: false);
            return true;
        }
    }

    /// <summary>This balancer has written a key itself, or has found another value there.</summary>
    /// <param name="revision">Of the store at that moment.</param>
    public void Wrote(string key, EtcdEntry? entry, long revision)
    {
        lock (_gate)
        {
            _book.Learn(key, entry, revision);
            Publish(_keys.IntentOf(key) is not null, isLost: false);
        }
    }

    /// <summary>Whether the store has the membership of this process, as far as is known.</summary>
    public bool HasSelf()
    {
        lock (_gate)
        {
            return _book.Members.Any(m => m.Id == _self.Id && m.Instance == _self.Instance);
        }
    }

    public (FleetIntent? Intent, long Revision) IntentOf(string pool, string backend)
    {
        lock (_gate)
        {
            return _book.IntentOf(pool, backend);
        }
    }

    // Under the lock. Views change far more often than intents, which concern every backend of the control plane.
    private void Publish(bool intents, bool isLost)
    {
        FleetStatus before = _status;

        // Why the lease was refused says more than that nothing has been read yet.
        string fault = _readFault.Length > 0 && (_readFault != NotRead || _leaseFault.Length == 0) ? _readFault : _leaseFault;
        ImmutableArray<FleetMember> members = _book.Members;
        if (intents)
        {
            _intents = _book.Intents;
        }

        FleetStatus now = _status = before with
        {
            Fault = fault,
            Since = before.IsConnected == (fault.Length == 0) ? before.Since : _clock.GetUtcNow(),
            Members = members,
            Compared = FleetStatus.Compare(members),
            Intents = _intents,
        };
        if (intents && _book.IsRead)
        {
            _control.IntentsRead(_intents, isLost);
            Complain();
        }

        PeerViews? peers = _settings.Health == FleetHealth.Vote && now.IsConnected ? FleetMember.ViewsOf(members, _self.Id) : null;
        if (peers is null ? _peers is not null : _peers is null || !peers.HasSameValues(_peers))
        {
            _peers = peers;
            _control.PeersChanged(peers);
        }

        Log(before, now);
    }

    private void Log(FleetStatus before, FleetStatus now)
    {
        if (now.IsConnected && !before.IsConnected)
        {
            _log.FleetConnected(now.Name, now.Members.Length);
        }
        else if (!now.IsConnected && (before.IsConnected || _complained.Add("")))
        {
            _log.FleetAway(now.Name, now.Fault);
        }

        if (before.Members != now.Members)
        {
            foreach (FleetMember joined in now.Members.Where(m => m.Id != _self.Id && before.Members.All(b => b.Id != m.Id)))
            {
                _log.FleetMemberJoined(now.Name, joined.Id);
            }

            foreach (FleetMember left in before.Members.Where(m => m.Id != _self.Id && now.Members.All(b => b.Id != m.Id)))
            {
                _log.FleetMemberLeft(now.Name, left.Id);
            }
        }
    }

    private void Complain()
    {
        foreach (string key in _book.Unreadable.Where(_complained.Add))
        {
            _log.FleetIntentUnreadable(_settings.Name, key);
        }
    }
}
