using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Direct;

/// <summary>
/// The endpoints that clients were handed and have probably not connected to yet. Each counts at its backend for a while, where backends are
/// compared by load. A source, an IPv4 address or an IPv6 /64, has at most <see cref="MostPerSource"/> that count: its next one replaces its
/// oldest, so that one source that asks without end does not distort the choice for the others. Memory is bounded: 65,536 sources and 16,384
/// such endpoints, about 12 MB, of which the oldest are forgotten first. Any thread.
/// </summary>
/// <param name="seed">Of the hash of addresses; drawn by the process, and not known to clients.</param>
public sealed class HandOuts(ulong seed = 0)
{
    /// <summary>Endpoints of one source that count at the same time.</summary>
    public const int MostPerSource = 4;

    private const int MostSources = 65_536;
    private const int MostGrants = 16_384;

    /// <summary>A source that has been silent for so long has all its tokens again.</summary>
    private static readonly TimeSpan Remembered = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private readonly HandOutChoice _choice = new();
    private readonly Dictionary<HostAddress, Source> _sources = new(new SeededAddressHash(seed));

    // The one that has been silent longest comes first.
    private readonly LinkedList<Source> _bySilence = new();

    // Those that end first come first, as long as the ttl stays the same.
    private readonly LinkedList<Grant> _grants = new();

    /// <summary>Remembered sources.</summary>
    public int SourceCount
    {
        get
        {
            lock (_gate)
            {
                return _sources.Count;
            }
        }
    }

    /// <summary>Endpoints that count.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _grants.Count;
            }
        }
    }

    /// <summary>Takes one request from the rate of its source.</summary>
    /// <param name="source">An IPv4 address, or the network of an IPv6 /64.</param>
    /// <param name="rate">Requests per second, with bursts of one second's worth; 0 means no limit.</param>
    /// <param name="wait">How long until the next request is accepted, if the result is false.</param>
    /// <returns>False if the source asks too fast.</returns>
    public bool TryAsk(HostAddress source, int rate, Instant now, out TimeSpan wait)
    {
        wait = TimeSpan.Zero;
        lock (_gate)
        {
            ExpireLocked(now);
            Source asking = Of(source, rate, now);
            if (rate == 0)
            {
                return true;
            }

            asking.Tokens = Math.Min(Math.Max(rate, 1), asking.Tokens + (Math.Max(0, (now - asking.At).TotalSeconds) * rate));
            asking.At = now;
            if (asking.Tokens < 1)
            {
                wait = TimeSpan.FromSeconds((1 - asking.Tokens) / rate);
                return false;
            }

            asking.Tokens--;
            return true;
        }
    }

    /// <summary>Hands out an endpoint.</summary>
    /// <param name="source">As for <see cref="TryAsk"/>.</param>
    /// <param name="underWay">How long it counts.</param>
    public HandOut Take(Pool pool, HandOutAsk ask, HostAddress source, TimeSpan underWay, Instant now)
    {
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentNullException.ThrowIfNull(ask);
        lock (_gate)
        {
            ExpireLocked(now);
            HandOut chosen = _choice.Of(pool, ask, now, take: true);
            if (chosen.Backend is not null)
            {
                Record(chosen, Of(source, rate: 0, now), now + underWay);
            }

            return chosen;
        }
    }

    /// <summary>What would be handed out now; counts nothing and takes nothing.</summary>
    public HandOut Look(Pool pool, HandOutAsk ask, Instant now)
    {
        ArgumentNullException.ThrowIfNull(pool);
        ArgumentNullException.ThrowIfNull(ask);
        lock (_gate)
        {
            ExpireLocked(now);
            return _choice.Of(pool, ask, now, take: false);
        }
    }

    /// <summary>Ends the count of what has had its time. Every request does so too; to be called now and then while there are none.</summary>
    public void Expire(Instant now)
    {
        lock (_gate)
        {
            ExpireLocked(now);
        }
    }

    private void Record(HandOut chosen, Source source, Instant until)
    {
        if (source.Grants.Count == MostPerSource)
        {
            Release(source.Grants[0]);
        }

        if (_grants.Count == MostGrants)
        {
            Release(_grants.First!.Value);
        }

        var grant = new Grant(chosen.Backend!.State, chosen.IsUneven, source, until);
        grant.Place = _grants.AddLast(grant);
        source.Grants.Add(grant);
        grant.Backend.CountHandedOut(1, grant.IsUneven);
    }

    private void Release(Grant grant)
    {
        _grants.Remove(grant.Place!);
        grant.Source.Grants.Remove(grant);
        grant.Backend.CountHandedOut(-1, grant.IsUneven);
    }

    private void ExpireLocked(Instant now)
    {
        while (_grants.First is { } first && first.Value.Until <= now)
        {
            Release(first.Value);
        }

        while (_bySilence.First is { } silent && silent.Value.Grants.Count == 0 && now - silent.Value.LastSeen > Remembered)
        {
            Forget(silent.Value);
        }
    }

    private Source Of(HostAddress address, int rate, Instant now)
    {
        if (_sources.TryGetValue(address, out Source? source))
        {
            _bySilence.Remove(source.Place!);
        }
        else
        {
            if (_sources.Count == MostSources)
            {
                Forget(_bySilence.First!.Value);
            }

            source = new Source(address) { Tokens = Math.Max(rate, 1), At = now };
            source.Place = new LinkedListNode<Source>(source);
            _sources.Add(address, source);
        }

        source.LastSeen = now;
        _bySilence.AddLast(source.Place!);
        return source;
    }

    private void Forget(Source source)
    {
        while (source.Grants.Count > 0)
        {
            Release(source.Grants[^1]);
        }

        _bySilence.Remove(source.Place!);
        _sources.Remove(source.Address);
    }

    private sealed class Source(HostAddress address)
    {
        public HostAddress Address => address;

        public LinkedListNode<Source>? Place { get; set; }

        /// <summary>Those that count, the oldest first.</summary>
        public List<Grant> Grants { get; } = [];

        public double Tokens { get; set; }

        /// <summary>When <see cref="Tokens"/> were counted.</summary>
        public Instant At { get; set; }

        public Instant LastSeen { get; set; }
    }

    private sealed class Grant(BackendState backend, bool isUneven, Source source, Instant until)
    {
        public BackendState Backend => backend;

        public bool IsUneven => isUneven;

        public Source Source => source;

        public Instant Until => until;

        public LinkedListNode<Grant>? Place { get; set; }
    }
}
