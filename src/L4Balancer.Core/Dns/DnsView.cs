using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Dns;

/// <summary>
/// The zone as it is now: looked at again at most every 100 ms and only when a question comes, and made anew only if something has changed:
/// the snapshot, which backends take connections, the balancers, or the settings. Any thread.
/// </summary>
/// <param name="settings">Those in force.</param>
public sealed class DnsView(Func<RoutingSnapshot> snapshot, Func<DnsSettings> settings, IBalancerAddresses balancers, TimeProvider clock)
{
    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(100);

    private readonly Lock _gate = new();
    private readonly List<bool> _taking = [];
    private readonly WeakReference<RoutingSnapshot?> _of = new(null);
    private DnsSettings? _settings;
    private ImmutableArray<HostAddress> _balancers = [];
    private volatile DnsZone? _zone;
    private long _lookedAt;

    /// <summary>The name of the zone.</summary>
    public string ZoneName => settings().Zone;

    public DnsZone Current()
    {
        Instant now = Instant.Now(clock);
        DnsZone? zone = _zone;
        if (zone is not null && now - new Instant(Volatile.Read(ref _lookedAt)) < BetweenLooks)
        {
            return zone;
        }

        return Renew();
    }

    /// <summary>The zone of this moment.</summary>
    public DnsZone Renew()
    {
        lock (_gate)
        {
            Volatile.Write(ref _lookedAt, Instant.Now(clock).Ticks);
            return _zone = Look(_zone);
        }
    }

    private DnsZone Look(DnsZone? before)
    {
        RoutingSnapshot current = snapshot();
        DnsSettings wanted = settings();
        ImmutableArray<HostAddress> living = balancers.Living;

        // A snapshot is not kept alive by the zone that was made of it.
        bool isSame = _of.TryGetTarget(out RoutingSnapshot? made) && made == current && wanted == _settings
            && living.SequenceEqual(_balancers);
        if (!NoteTaking(current, isSame) && before is not null)
        {
            return before;
        }

        _of.SetTarget(current);
        _settings = wanted;
        _balancers = living;
        uint serial = (uint)clock.GetUtcNow().ToUnixTimeSeconds();
        if (before is not null && unchecked((int)(serial - before.Serial)) <= 0)
        {
            // RFC 1982: the next one in a circle of 32 bits.
            serial = before.Serial + 1;
        }

        return ZoneBuilder.Build(wanted, current.Pools, living, serial);
    }

    /// <summary>Notes which backends take new connections.</summary>
    /// <returns>Whether that has changed.</returns>
    private bool NoteTaking(RoutingSnapshot current, bool isSame)
    {
        if (!isSame)
        {
            _taking.Clear();
        }

        bool hasChanged = !isSame;
        int at = 0;
        foreach (Pool pool in current.Pools)
        {
            for (int i = 0; i < pool.Backends.Length; i++, at++)
            {
                bool takes = pool.Takes(i);
                if (at == _taking.Count)
                {
                    _taking.Add(takes);
                }

                hasChanged |= _taking[at] != takes;
                _taking[at] = takes;
            }
        }

        return hasChanged;
    }
}
