using System.Collections.Immutable;
using L4Balancer.Core.Fleet;
using L4Balancer.Etcd;

namespace L4Balancer.Fleet;

/// <summary>What the store of the fleet holds, as far as it has been read. Any thread, one at a time.</summary>
internal sealed class FleetBook(FleetKeys keys)
{
    private readonly Dictionary<(string Pool, string Backend), (FleetIntent? Intent, long Revision)> _intents = [];
    private readonly SortedDictionary<string, (FleetMember Member, long Revision)> _members = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (EtcdEntry? Entry, long Revision)> _learned = [];

    /// <summary>What the store is known by (<see cref="FleetKeys.Marker"/>); null: nothing has been read, or it has none yet.</summary>
    public string? Marker { get; private set; }

    public bool IsRead { get; private set; }

    public FleetIntents Intents => new(
        _intents.Where(static i => i.Value.Intent is not null).ToImmutableDictionary(static i => i.Key, static i => i.Value.Intent!));

    public ImmutableArray<FleetMember> Members => [.. _members.Values.Select(static m => m.Member)];

    /// <summary>The values that are no intents, by key: they are left alone.</summary>
    public IEnumerable<string> Unreadable => _intents.Where(static i => i.Value.Intent is null).Select(i => keys.Intent(i.Key.Pool, i.Key.Backend));

    /// <summary>One of <see cref="Intents"/>, and the revision of its key; 0: there is none.</summary>
    public (FleetIntent? Intent, long Revision) IntentOf(string pool, string backend) => _intents.GetValueOrDefault((pool, backend));

    /// <summary>A listing is asked for: what is learned from now on may be later than the listing.</summary>
    public void BeginListing() => _learned.Clear();

    /// <returns>Whether the store has lost what it had.</returns>
    public bool Replace(EtcdListing listing)
    {
        string? marker = _learned.TryGetValue(keys.Marker, out (EtcdEntry? Entry, long Revision) made) && made.Revision > listing.Revision
            ? made.Entry?.Text : listing.Entries.FirstOrDefault(e => e.Key == keys.Marker)?.Text;
        bool isLost = IsRead && Marker is not null && marker != Marker;
        (Marker, IsRead) = (marker, true);
        _intents.Clear();
        _members.Clear();
        foreach (EtcdEntry entry in listing.Entries)
        {
            Put(entry.Key, entry, entry.Modified);
        }

        foreach ((string key, (EtcdEntry? entry, long revision)) in _learned.Where(l => !isLost && l.Value.Revision > listing.Revision))
        {
            Put(key, entry, revision);
        }

        return isLost;
    }

    /// <summary>Takes over what the answer to a write has said of a key, which holds against a listing from before it.</summary>
    /// <param name="entry">Null: the key is gone.</param>
    /// <param name="revision">Of the store at that moment.</param>
    public void Learn(string key, EtcdEntry? entry, long revision)
    {
        _learned[key] = (entry, revision);
        Put(key, entry, revision);
    }

    /// <summary>Takes over one change; one that is older than what is known is left out.</summary>
    /// <param name="entry">Null: the key is gone.</param>
    /// <param name="revision">Of the change.</param>
    public void Put(string key, EtcdEntry? entry, long revision)
    {
        if (key == keys.Marker)
        {
            Marker = entry?.Text ?? Marker;
        }
        else if (keys.IntentOf(key) is { } backend)
        {
            long known = _intents.GetValueOrDefault(backend).Revision;
            if (entry is null && revision >= known)
            {
                _intents.Remove(backend);
            }
            else if (entry is not null && entry.Modified > known)
            {
                _intents[backend] = (IntentDocument.Read(entry.Value.Span), entry.Modified);
            }
        }
        else if (keys.MemberOf(key) is { } id)
        {
            long known = _members.GetValueOrDefault(id).Revision;
            if (entry is null && revision >= known)
            {
                _members.Remove(id);
            }
            else if (entry is not null && entry.Modified > known)
            {
                _members[id] = (MemberDocument.Read(id, entry.Value.Span) ?? new FleetMember(id, ""), entry.Modified);
            }
        }
    }

    /// <summary>Whether these changes take the store's marker away, so that all has to be read again before any of them is believed.</summary>
    public bool Loses(EtcdChanges changes) => Marker is not null && changes.Changes.Any(c => c.Key == keys.Marker && c.Entry?.Text != Marker);
}
