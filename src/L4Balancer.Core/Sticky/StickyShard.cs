using System.Numerics;
using System.Runtime.InteropServices;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Sticky;

/// <summary>
/// A part of a <see cref="StickyTable"/>: a hash table with chains over entries in one array. Each entry is in one of two lists by age,
/// that of entries with living connections or that of the others, and in a list of its client. Any thread.
/// </summary>
/// <remarks>One file: every change is made to the chains, to a list by age and to that of the client at once.</remarks>
/// <param name="hash">Of clients, with a seed that they do not know.</param>
internal sealed class StickyShard(int number, SeededAddressHash hash)
{
    private const int None = -1;
    private const int FirstLength = 64;

    /// <summary>
    /// Entries removed by each change that have expired, or that a lower limit leaves no room for: one more than it may add, so that
    /// they do not accumulate.
    /// </summary>
    private const int RemovedPerChange = 2;

    /// <summary>Expired entries removed in one go where all are to be removed; about 50 µs.</summary>
    private const int ExpiredPerPortion = 256;

    /// <summary>Entries copied in one go for another process; about 10 µs.</summary>
    private const int EntriesPerPortion = 1024;

    /// <summary>How many entries of a client are looked at for one without a living connection.</summary>
    private const int LooksPerClient = 8;

    private readonly Lock _gate = new();
    private readonly Dictionary<HostAddress, ClientEntries> _clients = new(hash);
    private StickyEntry[] _entries = [];
    private int[] _buckets = [];
    private int _end;
    private int _free = None;
    private int _count;
    private Instant _latest;
    private StickyList _idle = StickyList.Empty;
    private StickyList _living = StickyList.Empty;

    public bool IsEmpty
    {
        get
        {
            lock (_gate)
            {
                return _count == 0;
            }
        }
    }

    /// <summary>Removes what has expired, in portions between which others get the lock, and counts the rest.</summary>
    public int CountAt(TimeSpan ttl, Instant now)
    {
        while (true)
        {
            lock (_gate)
            {
                RemoveExpired(ttl, now, ExpiredPerPortion);
                if (_idle.Oldest == None || !HasExpired(_entries[_idle.Oldest], ttl, now))
                {
                    return _count;
                }
            }
        }
    }

    public BackendState? Find(StickyKeyHash hash, TimeSpan ttl, Instant now, out int hint)
    {
        lock (_gate)
        {
            int index = IndexOf(hash, ttl, now);
            hint = index == None ? None : _entries[index].Hint;
            return index == None ? null : _entries[index].Backend;
        }
    }

    public bool TryHold(
        StickyKeyHash hash, HostAddress client, BackendState backend, int hint, BackendState? seen, StickyLimits limits, Instant now,
        ref StickyHold held)
    {
        lock (_gate)
        {
            _latest = now;
            RemoveExpired(limits.Ttl, now, RemovedPerChange);
            int index = IndexOf(hash, limits.Ttl, now);
            if ((index == None ? null : _entries[index].Backend) != seen)
            {
                return false;
            }

            index = index == None ? Create(hash, client, limits) : index;
            ref StickyEntry entry = ref _entries[index];
            (entry.Backend, entry.Hint) = (backend, hint);
            if (held != new StickyHold(number, index, entry.Generation))
            {
                held = new StickyHold(number, index, entry.Generation);
                entry.Living++;
            }

            MoveToNewest(index);
            return true;
        }
    }

    public void Confirm(StickyHold held, Instant now)
    {
        lock (_gate)
        {
            if (_entries[held.Index].Generation == held.Generation)
            {
                _entries[held.Index].Since = now;
            }
        }
    }

    public void Release(StickyHold held, Instant now)
    {
        lock (_gate)
        {
            _latest = now;
            LetGo(held, now);
        }
    }

    /// <inheritdoc cref="StickyTable.HoldAgain"/>
    public StickyHold HoldAgain(
        StickyKeyHash hash, HostAddress client, BackendState backend, int hint, StickyLimits limits, Instant establishedAt)
    {
        lock (_gate)
        {
            int index = IndexOf(hash);
            if (index == None)
            {
                index = Create(hash, client, limits);
                (_entries[index].Backend, _entries[index].Hint, _entries[index].Since) = (backend, hint, establishedAt);
            }

            _entries[index].Living++;
            MoveToNewest(index);
            return new StickyHold(number, index, _entries[index].Generation);
        }
    }

    /// <inheritdoc cref="StickyTable.Drop"/>
    public void Drop(StickyHold held)
    {
        lock (_gate)
        {
            LetGo(held, _latest);
        }
    }

    /// <inheritdoc cref="StickyTable.HashOf(StickyHold)"/>
    public StickyKeyHash? HashOf(StickyHold held)
    {
        lock (_gate)
        {
            return _entries[held.Index].Generation == held.Generation ? _entries[held.Index].Hash : null;
        }
    }

    /// <summary>Adds an entry without a connection.</summary>
    /// <param name="since">When its last connection ended.</param>
    public void Add(StickyKeyHash hash, HostAddress client, BackendState backend, Instant since, StickyLimits limits)
    {
        lock (_gate)
        {
            int index = Create(hash, client, limits);
            (_entries[index].Backend, _entries[index].Hint, _entries[index].Since) = (backend, None, since);
            MoveToNewest(index);
        }
    }

    /// <summary>Copies the entries in the order of displacement; a living connection counts as one that ends now.</summary>
    public void CopyTo(List<StickyEntry> entries)
    {
        lock (_gate)
        {
            for (int index = _idle.Oldest; index != None; index = _entries[index].ByAge.Newer)
            {
                entries.Add(_entries[index]);
            }

            for (int index = _living.Oldest; index != None; index = _entries[index].ByAge.Newer)
            {
                StickyEntry entry = _entries[index];
                if (entry.Since != default)
                {
                    entry.Since = _latest;
                    entries.Add(entry);
                }
            }
        }
    }

    private void LetGo(StickyHold held, Instant now)
    {
        ref StickyEntry entry = ref _entries[held.Index];
        if (entry.Generation != held.Generation || entry.Living == 0 || --entry.Living > 0)
        {
            return;
        }

        if (entry.Since == default)
        {
            Remove(held.Index);
            return;
        }

        entry.Since = now;
        MoveToNewest(held.Index);
    }

    /// <summary>Copies a portion of the entries that were ever established, without holding up others for more than some microseconds.</summary>
    /// <param name="from">0 at first; where the next portion begins.</param>
    /// <param name="since">Only those whose last connection ended no earlier than then; the default: all, those with living ones too.</param>
    /// <returns>False after the last portion.</returns>
    public bool CopyPortion(ref int from, Instant since, List<StickyEntry> to)
    {
        lock (_gate)
        {
            int end = Math.Min(_end, from + EntriesPerPortion);
            for (; from < end; from++)
            {
                StickyEntry entry = _entries[from];
                if (entry.Backend is null || entry.Since == default || (entry.Living > 0 && since != default))
                {
                    continue;
                }

                // A living connection counts as one that ends now.
                entry.Since = entry.Living > 0 ? _latest : entry.Since;
                if (entry.Since >= since)
                {
                    to.Add(entry);
                }
            }

            return from < _end;
        }
    }

    /// <summary>Adds an entry of another process without a connection, or brings the one that is there up to date.</summary>
    public void Take(StickyKeyHash hash, HostAddress client, BackendState backend, int hint, Instant since, StickyLimits limits)
    {
        lock (_gate)
        {
            int index = IndexOf(hash);
            if (index != None && (_entries[index].Living > 0 || _entries[index].Since >= since))
            {
                return;
            }

            index = index == None ? Create(hash, client, limits) : index;
            (_entries[index].Backend, _entries[index].Hint, _entries[index].Since) = (backend, hint, since);
            MoveToNewest(index);
        }
    }

    private int IndexOf(StickyKeyHash hash)
    {
        int index = _buckets.Length == 0 ? None : _buckets[BucketOf(hash)] - 1;
        while (index != None && _entries[index].Hash != hash)
        {
            index = _entries[index].Next;
        }

        return index;
    }

    private int IndexOf(StickyKeyHash hash, TimeSpan ttl, Instant now)
    {
        int index = IndexOf(hash);
        if (index != None && HasExpired(_entries[index], ttl, now))
        {
            Remove(index);
            return None;
        }

        return index;
    }

    private static bool HasExpired(in StickyEntry entry, TimeSpan ttl, Instant now) => entry.Living == 0 && entry.Since + ttl <= now;

    private void RemoveExpired(TimeSpan ttl, Instant now, int atMost)
    {
        for (; atMost > 0 && _idle.Oldest != None && HasExpired(_entries[_idle.Oldest], ttl, now); atMost--)
        {
            Remove(_idle.Oldest);
        }
    }

    /// <summary>Makes room and a place for a key. The caller puts it into a list by <see cref="MoveToNewest"/>.</summary>
    private int Create(StickyKeyHash hash, HostAddress client, StickyLimits limits)
    {
        for (int i = 0; i < RemovedPerChange; i++)
        {
            if (!_clients.TryGetValue(client, out ClientEntries own) || own.Count < limits.MostPerClient)
            {
                break;
            }

            Remove(VictimOf(own));
        }

        for (int i = 0; i < RemovedPerChange && _count >= limits.Most; i++)
        {
            Remove(_idle.Oldest != None ? _idle.Oldest : _living.Oldest);
        }

        int index = _free;
        if (index == None)
        {
            Grow(limits.Most);
            index = _end++;
        }
        else
        {
            _free = _entries[index].Next;
        }

        ref StickyEntry entry = ref _entries[index];
        ref int bucket = ref _buckets[BucketOf(hash)];
        entry = new StickyEntry
        {
            Hash = hash,
            Client = client,
            Next = bucket - 1,
            Generation = Math.Max(1, entry.Generation + 1),
            ByAge = StickyLink.Loose,
            OfClient = StickyLink.Loose,
        };
        bucket = index + 1;
        _count++;
        ref ClientEntries entries = ref CollectionsMarshal.GetValueRefOrAddDefault(_clients, client, out bool known);
        entries = known ? entries : new ClientEntries(StickyList.Empty);
        entries.Count++;
        entries.List.Append(_entries, index, static (ref StickyEntry e) => ref e.OfClient);
        _idle.Append(_entries, index, static (ref StickyEntry e) => ref e.ByAge);
        return index;
    }

    private int VictimOf(in ClientEntries own)
    {
        int index = own.List.Oldest;
        for (int looks = 0; looks < LooksPerClient && index != None; looks++, index = _entries[index].OfClient.Newer)
        {
            if (_entries[index].Living == 0)
            {
                return index;
            }
        }

        return own.List.Oldest;
    }

    // Into the list that it belongs to now.
    private void MoveToNewest(int index)
    {
        ref StickyEntry entry = ref _entries[index];
        ref StickyList from = ref entry.IsInLiving ? ref _living : ref _idle;
        from.Unlink(_entries, index, static (ref StickyEntry e) => ref e.ByAge);
        entry.IsInLiving = entry.Living > 0;
        ref StickyList to = ref entry.IsInLiving ? ref _living : ref _idle;
        to.Append(_entries, index, static (ref StickyEntry e) => ref e.ByAge);

        ref ClientEntries own = ref CollectionsMarshal.GetValueRefOrNullRef(_clients, entry.Client);
        own.List.Unlink(_entries, index, static (ref StickyEntry e) => ref e.OfClient);
        own.List.Append(_entries, index, static (ref StickyEntry e) => ref e.OfClient);
    }

    private void Remove(int index)
    {
        ref StickyEntry entry = ref _entries[index];
        ref StickyList list = ref entry.IsInLiving ? ref _living : ref _idle;
        list.Unlink(_entries, index, static (ref StickyEntry e) => ref e.ByAge);
        ref ClientEntries own = ref CollectionsMarshal.GetValueRefOrNullRef(_clients, entry.Client);
        own.List.Unlink(_entries, index, static (ref StickyEntry e) => ref e.OfClient);
        if (--own.Count == 0)
        {
            _clients.Remove(entry.Client);
        }

        ref int bucket = ref _buckets[BucketOf(entry.Hash)];
        if (bucket == index + 1)
        {
            bucket = entry.Next + 1;
        }
        else
        {
            int before = bucket - 1;
            while (_entries[before].Next != index)
            {
                before = _entries[before].Next;
            }

            _entries[before].Next = entry.Next;
        }

        // What still holds the entry recognizes by the generation that it is another.
        entry = new StickyEntry { Generation = entry.Generation + 1, Next = _free };
        _free = index;
        _count--;
    }

    private int BucketOf(StickyKeyHash hash) => (int)(hash.Low & (ulong)(_buckets.Length - 1));

    private void Grow(int most)
    {
        if (_end < _entries.Length)
        {
            return;
        }

        // Both before either is replaced: an allocation that fails leaves the table as it was.
        var entries = new StickyEntry[Math.Min(most, Math.Max(FirstLength, 2 * _entries.Length))];
        int[] buckets = new int[BitOperations.RoundUpToPowerOf2((uint)entries.Length)];
        _entries.CopyTo(entries, 0);
        (_entries, _buckets) = (entries, buckets);
        for (int index = 0; index < _end; index++)
        {
            ref int bucket = ref _buckets[BucketOf(_entries[index].Hash)];
            _entries[index].Next = bucket - 1;
            bucket = index + 1;
        }
    }

    private struct ClientEntries(StickyList list)
    {
        public StickyList List = list;
        public int Count;
    }
}

/// <summary>
/// The limits of a shard that are in force. They come with each call, because the table outlives a reload that changes them.
/// </summary>
/// <param name="Most">The most entries of the shard.</param>
/// <param name="MostPerClient">The most of them of one client.</param>
internal readonly record struct StickyLimits(int Most, int MostPerClient, TimeSpan Ttl);
