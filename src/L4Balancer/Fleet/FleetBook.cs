using System.Collections.Immutable;
using L4Balancer.Core.Fleet;
using L4Balancer.Etcd;

namespace L4Balancer.Fleet;

/// <summary>What the store of the fleet holds, as far as it has been read. Any thread, one at a time.</summary>
internal sealed class FleetBook(FleetKeys keys)
{
    private readonly Dictionary<(string Pool, string Backend), (FleetIntent? Intent, long Revision)> _intents = [];
    private readonly SortedDictionary<string, (FleetMember Member, long Revision)> _members = new(StringComparer.Ordinal);

    /// <summary>What the store is known by (<see cref="FleetKeys.Marker"/>); null: nothing has been read, or it has none yet.</summary>
    public string? Marker { get; private set; }

    public bool IsRead { get; private set; }

    public FleetIntents Intents => new(_intents.Where(static i => i.Value.Intent is not null).ToImmutableDictionary(static i => i.Key, static i => i.Value.Intent!));

    public ImmutableArray<FleetMember> Members => [.. _members.Values.Select(static m => m.Member)];

    /// <summary>The values that are no intents, by key: they are left alone.</summary>
    public IEnumerable<string> Unreadable => _intents.Where(static i => i.Value.Intent is null).Select(i => keys.Intent(i.Key.Pool, i.Key.Backend));

    /// <summary>The revision of an intent's key; 0: there is none.</summary>
    public long RevisionOf(string pool, string backend) => _intents.GetValueOrDefault((pool, backend)).Revision;

    /// <returns>Whether the store has lost what it had.</returns>
    public bool Replace(EtcdListing listing)
    {
        string? marker = listing.Entries.FirstOrDefault(e => e.Key == keys.Marker)?.Text;
        bool isLost = IsRead && Marker is not null && marker != Marker;
        (Marker, IsRead) = (marker, true);
        _intents.Clear();
        _members.Clear();
        foreach (EtcdEntry entry in listing.Entries)
        {
            Put(entry.Key, entry);
        }

        return isLost;
    }

    /// <summary>Takes over one change; one that is older than what is known is left out.</summary>
    /// <param name="entry">Null: the key is gone.</param>
    public void Put(string key, EtcdEntry? entry)
    {
        if (key == keys.Marker)
        {
            Marker = entry?.Text ?? Marker;
        }
        else if (keys.IntentOf(key) is { } backend)
        {
            if (entry is null)
            {
                _intents.Remove(backend);
            }
            else if (entry.Modified > _intents.GetValueOrDefault(backend).Revision)
            {
                _intents[backend] = (IntentDocument.Read(entry.Value.Span), entry.Modified);
            }
        }
        else if (keys.MemberOf(key) is { } id)
        {
            if (entry is null)
            {
                _members.Remove(id);
            }
            else if (!_members.TryGetValue(id, out (FleetMember, long Revision) known) || entry.Modified > known.Revision)
            {
                _members[id] = (MemberDocument.Read(id, entry.Value.Span) ?? new FleetMember(id, ""), entry.Modified);
            }
        }
    }

    /// <summary>Whether these changes take the store's marker away, so that all has to be read again before any of them is believed.</summary>
    public bool Loses(EtcdChanges changes) => Marker is not null && changes.Changes.Any(c => c.Key == keys.Marker && c.Entry?.Text != Marker);
}
