using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Pacing;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Direct;

/// <summary>
/// Chooses the backend whose endpoint is handed out. With a key it is that of the pool's ring, as for a relayed connection of that key. Without
/// one the choice is smooth: each backend gets its share by weight and slow start over any few requests, and one that is clearly above its share
/// of the load gets none. The load is what is relayed, and what was handed out a moment ago for another reason than that it was a backend's turn:
/// turns follow the shares and say nothing about the load. Examines every backend of the pool. One thread at a time.
/// </summary>
internal sealed class HandOutChoice
{
    /// <summary>The backend and two alternates.</summary>
    private const int Most = 3;

    /// <summary>How many backends of the ring are looked at for those that can be handed out.</summary>
    private const int MostTried = 64;

    /// <summary>In connections. A backend that was out for long would else get everything for as long.</summary>
    private const double MostCredit = 4;

    /// <summary>How far above its share of the load a backend may be: one connection, and this part of the share.</summary>
    private const double Tolerance = 0.02;

    private readonly List<Candidate> _candidates = [];
    private readonly List<Backend> _ranked = new(Most);

    /// <param name="take">Whether the endpoint is handed out, or only looked at, which changes nothing.</param>
    public HandOut Of(Pool pool, HandOutAsk ask, Instant now, bool take)
    {
        if (ask.Key is not null && !pool.UsesKey)
        {
            return HandOut.Failed(HandOutFault.NotByKey);
        }

        _ranked.Clear();
        TimeSpan between = RateLimiter.Between(pool.Settings.NewConnectionRate);
        if (ask.Key is not null && RankByKey(pool, ask, now))
        {
            // Who asks by key wants this backend and no other: like a relayed connection it waits for the rate, by asking again.
            if (!_ranked[0].State.TryHandOut(now, between, take))
            {
                return HandOut.Failed(HandOutFault.Rate);
            }

            return Ranked(isUneven: true);
        }

        if (ask.Key is not null && pool.Settings.Balance is BalanceKind.Ring or BalanceKind.Maglev)
        {
            return HandOut.Failed(HandOutFault.NoBackend);
        }

        bool isLimited = Collect(pool, ask, now, between);
        if (_candidates.Count == 0)
        {
            return HandOut.Failed(isLimited ? HandOutFault.Rate : HandOutFault.NoBackend);
        }

        bool isUneven = RankByLoad(take);
        if (take)
        {
            _ranked[0].State.TryHandOut(now, between, take: true);
        }

        return Ranked(isUneven);
    }

    private HandOut Ranked(bool isUneven) => new(_ranked[0], [.. _ranked[1..]], HandOutFault.None) { IsUneven = isUneven };

    /// <returns>Whether a backend was found.</returns>
    private bool RankByKey(Pool pool, HandOutAsk ask, Instant now)
    {
        byte[] bytes = pool.Key.WithValue(new FourTuple(new Endpoint(ask.Client, 0), default), Encoding.UTF8.GetBytes(ask.Key!));
        var key = new RouteKey(bytes);
        int followed = pool.FollowedBy(key, now);
        if (followed != Pool.None && IsUsable(pool, pool.Backends[followed]) && !ask.Excludes(pool.Name, pool.Backends[followed].Name))
        {
            _ranked.Add(pool.Backends[followed]);
        }

        if (pool.Settings.Balance is not (BalanceKind.Ring or BalanceKind.Maglev))
        {
            return _ranked.Count > 0;
        }

        Span<ushort> tried = stackalloc ushort[MostTried];
        int count = 0;
        foreach (Backend backend in pool.Backends)
        {
            if (count < MostTried && !ask.Excluded.IsEmpty && ask.Excludes(pool.Name, backend.Name))
            {
                tried[count++] = (ushort)backend.Index;
            }
        }

        while (_ranked.Count < Most && count < MostTried)
        {
            int picked = pool.Pick(key, tried[..count]);
            if (picked == Pool.None)
            {
                break;
            }

            tried[count++] = (ushort)picked;
            if (picked != followed && IsUsable(pool, pool.Backends[picked]))
            {
                _ranked.Add(pool.Backends[picked]);
            }
        }

        return _ranked.Count > 0;
    }

    // A pick for a relayed connection may be a trial of a backend that is down, or one of which nothing is known yet.
    private static bool IsUsable(Pool pool, Backend backend) => pool.Takes(backend.Index) && backend.Settings.PublicUrl.Length > 0;

    /// <returns>Whether a backend was left out because of the rate.</returns>
    private bool Collect(Pool pool, HandOutAsk ask, Instant now, TimeSpan between)
    {
        _candidates.Clear();
        bool backups = !pool.Backends.Any(b => !b.Settings.Backup && pool.Takes(b.Index));
        bool isLimited = false;
        foreach (Backend backend in pool.Backends)
        {
            int most = backend.Settings.MaxConnections;
            if (backend.Settings.Backup != backups || !IsUsable(pool, backend) || (most > 0 && backend.State.Load >= most)
                || ask.Excludes(pool.Name, backend.Name))
            {
                continue;
            }

            if (backend.State.TryHandOut(now, between, take: false))
            {
                double weight = Math.Max(backend.Weight * pool.RampOf(backend.Index), double.Epsilon);
                _candidates.Add(new Candidate(backend, weight, backend.State.Load + backend.State.HandedOutUnevenly));
            }
            else
            {
                isLimited = true;
            }
        }

        return isLimited;
    }

    /// <returns>Whether a backend is passed over because of its load.</returns>
    private bool RankByLoad(bool take)
    {
        bool isUneven = false;
        double weight = 0;
        double load = 0;
        foreach (Candidate candidate in _candidates)
        {
            weight += candidate.Weight;
            load += candidate.Load;
        }

        // Smooth weighted round robin, as in nginx: each gets its share of this request, and who is chosen pays a whole one.
        Span<Candidate> all = CollectionsMarshal.AsSpan(_candidates);
        foreach (ref Candidate candidate in all)
        {
            double share = candidate.Weight / weight;
            candidate.Above = (candidate.Load - (load * share)) / candidate.Weight;
            candidate.IsAbove = candidate.Load - (load * share) > 1 + (load * share * Tolerance);
            isUneven |= candidate.IsAbove;
            candidate.Credit = Math.Min(candidate.Backend.State.HandOutCredit + share, MostCredit);
            if (take)
            {
                candidate.Backend.State.HandOutCredit = candidate.Credit;
            }
        }

        int count = Math.Min(Most, all.Length);
        for (int place = 0; place < count; place++)
        {
            int best = place;
            for (int i = place + 1; i < all.Length; i++)
            {
                best = all[i].IsBefore(all[best]) ? i : best;
            }

            (all[place], all[best]) = (all[best], all[place]);
            _ranked.Add(all[place].Backend);
        }

        if (take)
        {
            _ranked[0].State.HandOutCredit = Math.Max(all[0].Credit - 1, -MostCredit);
        }

        return isUneven;
    }

    private record struct Candidate(Backend Backend, double Weight, int Load)
    {
        /// <summary>The load above its share, by weight.</summary>
        public double Above { get; set; }

        public bool IsAbove { get; set; }

        public double Credit { get; set; }

        public readonly bool IsBefore(in Candidate other) =>
            IsAbove != other.IsAbove ? other.IsAbove : IsAbove ? Above < other.Above : Credit > other.Credit;
    }
}
