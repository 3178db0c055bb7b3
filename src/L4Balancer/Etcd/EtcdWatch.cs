using L4Balancer.Stores;

namespace L4Balancer.Etcd;

/// <summary>
/// Follows the keys below a prefix for ever: a list of all, then each change from the next revision on. After <paramref name="interval"/>,
/// and whenever the watch ends or its revision is compacted, all is listed again. For one caller at a time.
/// </summary>
/// <param name="interval">
/// How often all is read again; also the longest time until a connection that is dead without a sign is noticed.
/// </param>
internal sealed class EtcdWatch(EtcdClient client, string prefix, TimeSpan interval, Random random)
{
    /// <summary>A watch that ends sooner is followed by a pause: a store that ends each at once would be asked in a circle.</summary>
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(1);

    private readonly SortedDictionary<string, EtcdEntry> _entries = new(StringComparer.Ordinal);
    private readonly Attempts _attempts = new(client.Clock, random);

    /// <summary>Returns only after a cancellation.</summary>
    /// <param name="report">
    /// All entries after each change, or why they are unknown; called by one thread at a time, must return at once.
    /// </param>
    public Task RunAsync(Action<StoreResult<EtcdListing>> report, CancellationToken stop) =>
        _attempts.RepeatAsync(_ => OnceAsync(report, stop), stop);

    private async Task<bool> OnceAsync(Action<StoreResult<EtcdListing>> report, CancellationToken stop)
    {
        StoreResult<EtcdListing> listing = await client.ListAsync(prefix, stop);
        report(listing);
        if (!listing.IsOk)
        {
            return false;
        }

        _entries.Clear();
        foreach (EtcdEntry entry in listing.Value.Entries)
        {
            _entries[entry.Key] = entry;
        }

        long started = client.Clock.GetTimestamp();
        EtcdWatchEnd end =
            await client.WatchAsync(prefix, listing.Value.Revision + 1, interval, changes => report(new(After(changes))), stop);
        return end.InTime || client.Clock.GetElapsedTime(started) >= Short;
    }

    private EtcdListing After(EtcdChanges changes)
    {
        foreach ((string key, EtcdEntry? entry, _) in changes.Changes)
        {
            if (entry is null)
            {
                _entries.Remove(key);
            }
            else
            {
                _entries[key] = entry;
            }
        }

        return new EtcdListing([.. _entries.Values], changes.Revision);
    }
}
