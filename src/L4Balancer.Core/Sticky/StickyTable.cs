using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Inspection;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Sticky;

/// <summary>What a connection holds of a <see cref="StickyTable"/>; the default holds nothing.</summary>
/// <param name="Place">The shard and the index in it, as one number: every connection keeps it.</param>
/// <param name="Generation">Distinguishes two uses of one place, so that a connection whose entry was displaced changes no other.</param>
internal readonly record struct StickyHold(int Place, int Generation)
{
    private const int Shards = 8;

    public StickyHold(int shard, int index, int generation)
        : this((index * Shards) + shard, generation)
    {
    }

    public int Shard => Place % Shards;

    public int Index => Place / Shards;
}

/// <summary>Two hashes of the value of <c>hash_key</c> with seeds that only this process knows: a client cannot choose another's.</summary>
internal readonly record struct StickyKeyHash(ulong High, ulong Low);

/// <summary>
/// Where the connections of each key of a pool went (<c>[pools.sticky]</c>), so that the next one goes there too, whatever joins or leaves
/// the pool. Memory is bounded by the number of entries, about 150 bytes each, and grows as they come. Where there is no room the entry
/// whose last connection ended first is displaced; entries with living connections are displaced last. A client (an IPv4 address or an
/// IPv6 /64) holds at most a hundredth of the entries, and displaces its own beyond that. All workers share one table, because the
/// connections of a client arrive at any of them. A table of at least 10,000 entries has eight shards by key, each with a lock of its own
/// that is held for a fraction of a microsecond: orders of displacement are linked lists, which cannot be changed without a lock, and one
/// lock would be asked for by every worker twice for each connection. Any thread.
/// </summary>
public sealed class StickyTable
{
    private const int ShardsOfLarge = 8;
    private const int SmallestLarge = 10_000;

    /// <summary>A client holds one in this many entries.</summary>
    private const int ClientShare = 100;

    private const ulong FirstSeed = 0x4C34_5354_4943_4B31;
    private const ulong SecondSeed = 0x4C34_5354_4943_4B32;

    private readonly StickyShard[] _shards;
    private readonly HashKey _key;
    private ulong _firstSeed;
    private ulong _secondSeed;

    private StickyTable(int shards, HashKey key, ulong firstSeed, ulong secondSeed)
    {
        _key = key;
        (_firstSeed, _secondSeed) = (firstSeed, (secondSeed & ~(ulong)uint.MaxValue) | key.Fingerprint);
        var hash = new SeededAddressHash(firstSeed ^ secondSeed);
        _shards = [.. Enumerable.Range(0, shards).Select(n => new StickyShard(n, hash))];
    }

    /// <summary>The table of a pool in the next snapshot.</summary>
    /// <param name="key">The <c>hash_key</c> of the pool: the entries of another key are of no use.</param>
    /// <param name="before">
    /// The table until now. It is kept when its size changes; only one that becomes large, or is no longer, is copied, because it has
    /// another number of shards then: living connections no longer protect the entries copied.
    /// </param>
    /// <param name="seed">A number that clients do not know.</param>
    /// <returns>Null if the pool has none.</returns>
    internal static StickyTable? For(StickySettings settings, HashKey key, StickyTable? before, ulong seed)
    {
        if (settings.Ttl == TimeSpan.Zero)
        {
            return null;
        }

        if (before is null || !before._key.Equals(key))
        {
            return new StickyTable(ShardsFor(settings), key, Mix.Of(seed ^ FirstSeed), Mix.Of(seed ^ SecondSeed));
        }

        if (before._shards.Length == ShardsFor(settings))
        {
            return before;
        }

        var resized = new StickyTable(ShardsFor(settings), key, before._firstSeed, before._secondSeed);
        StickyLimits limits = resized.LimitsOf(settings);
        List<StickyEntry> entries = [];
        Array.ForEach(before._shards, s => s.CopyTo(entries));

        // In the order of displacement over all shards, for the case that not all of them fit.
        foreach (StickyEntry entry in entries.OrderBy(e => e.Since))
        {
            resized.ShardOf(entry.Hash).Add(entry.Hash, entry.Client, entry.Backend!, entry.Since, limits);
        }

        return resized;
    }

    /// <summary>
    /// The seeds of its hashes, for another process that takes over the entries. The lower half of the second says of which <c>hash_key</c> they
    /// are; the other 96 bits are unknown to clients.
    /// </summary>
    public (ulong First, ulong Second) Seeds => (_firstSeed, _secondSeed);

    /// <summary>Takes the seeds of another process's table, so that its hashes are valid here. Before the first connection is accepted.</summary>
    /// <returns>False if that table had another <c>hash_key</c>, or this one has entries of other seeds.</returns>
    internal bool TryTakeSeeds((ulong First, ulong Second) seeds)
    {
        if (seeds == Seeds)
        {
            return true;
        }

        if ((uint)seeds.Second != (uint)_secondSeed || !Array.TrueForAll(_shards, static s => s.IsEmpty))
        {
            return false;
        }

        (_firstSeed, _secondSeed) = seeds;
        return true;
    }

    /// <summary>Number of entries, without those that have expired.</summary>
    public int Count(TimeSpan ttl, Instant now)
    {
        int count = 0;
        foreach (StickyShard shard in _shards)
        {
            count += shard.CountAt(ttl, now);
        }

        return count;
    }

    internal StickyKeyHash HashOf(RouteKey key) => new(key.Hash(_firstSeed), key.Hash(_secondSeed));

    /// <summary>The backend of an entry that has not expired.</summary>
    /// <param name="hint">Its index in the pool, or the one that it had in an earlier snapshot.</param>
    /// <returns>Null if there is no entry.</returns>
    internal BackendState? Find(StickyKeyHash hash, TimeSpan ttl, Instant now, out int hint) => ShardOf(hash).Find(hash, ttl, now, out hint);

    /// <summary>
    /// Writes where a connection goes, and holds the entry for it until <see cref="Release"/>. Does nothing if the entry has another backend
    /// than when it was looked at: two connections of one key that come together go to the same.
    /// </summary>
    /// <param name="seen">What <see cref="Find"/> returned.</param>
    /// <param name="settings">In force for this connection. If fewer entries are allowed than there are, each call displaces at most two.</param>
    /// <param name="held">What the connection holds; an attempt at another backend goes on with it.</param>
    /// <returns>Whether it was written.</returns>
    internal bool TryHold(
        StickyKeyHash hash, HostAddress client, BackendState backend, int hint, BackendState? seen, StickySettings settings, Instant now,
        ref StickyHold held) =>
        ShardOf(hash).TryHold(hash, ClientTable.KeyOf(client), backend, hint, seen, LimitsOf(settings), now, ref held);

    /// <summary>The connection is established: the entry outlives it.</summary>
    internal void Confirm(StickyHold held, Instant now)
    {
        if (held.Generation != 0)
        {
            _shards[held.Shard].Confirm(held, now);
        }
    }

    /// <summary>A copy of the entries, in the order of displacement; a living connection counts as one that ends now.</summary>
    /// <param name="since">Only those that have changed since then.</param>
    internal List<StickyEntry> Copy(Instant since)
    {
        List<StickyEntry> entries = [];
        foreach (StickyShard shard in _shards)
        {
            int from = 0;
            while (shard.CopyPortion(ref from, since, entries))
            {
                // Others get the lock in between.
            }
        }

        entries.Sort(static (a, b) => a.Since.CompareTo(b.Since));
        return entries;
    }

    /// <summary>Adds an entry of another process, whose seeds were taken.</summary>
    /// <param name="client">As it stands in an entry: an IPv4 address or an IPv6 network.</param>
    internal void Take(StickyKeyHash hash, HostAddress client, BackendState backend, int hint, Instant since, StickySettings settings) =>
        ShardOf(hash).Take(hash, ClientTable.KeyOf(client), backend, hint, since, LimitsOf(settings));

    /// <summary>Holds the entry of a connection that another process has established, and makes one if there is none.</summary>
    /// <param name="hash">Made with the seeds of this table.</param>
    /// <param name="hint">The index of the backend in the pool; -1 if it is not there.</param>
    internal StickyHold HoldAgain(
        StickyKeyHash hash, HostAddress client, BackendState backend, int hint, StickySettings settings, Instant establishedAt) =>
        ShardOf(hash).HoldAgain(hash, ClientTable.KeyOf(client), backend, hint, LimitsOf(settings), establishedAt);

    /// <summary>The connection goes on in another process, with its hold on the entry.</summary>
    internal void Drop(StickyHold held)
    {
        if (held.Generation != 0)
        {
            _shards[held.Shard].Drop(held);
        }
    }

    /// <summary>The hash of the key whose entry is held; null if that entry was displaced, or none is held.</summary>
    internal StickyKeyHash? HashOf(StickyHold held) => held.Generation == 0 ? null : _shards[held.Shard].HashOf(held);

    /// <summary>The connection is over. An entry of which no connection was ever established is removed with the last that tried.</summary>
    internal void Release(ref StickyHold held, Instant now)
    {
        if (held.Generation != 0)
        {
            _shards[held.Shard].Release(held, now);
            held = default;
        }
    }

    private static int ShardsFor(StickySettings settings) => settings.Entries < SmallestLarge ? 1 : ShardsOfLarge;

    private StickyLimits LimitsOf(StickySettings settings)
    {
        int each = Math.Max(1, settings.Entries / _shards.Length);
        return new StickyLimits(each, Math.Max(1, each / ClientShare), settings.Ttl);
    }

    private StickyShard ShardOf(StickyKeyHash hash) => _shards[_shards.Length == 1 ? 0 : (int)(hash.High >> 61)];
}
