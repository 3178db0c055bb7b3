using System.Globalization;
using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Etcd;
using L4Balancer.Stores;

namespace L4Balancer.Discovery.Etcd;

/// <summary>The keys below a prefix of etcd, each a <see cref="RegisteredBackend"/>; the last part of a key is the name.</summary>
/// <param name="prefix">Ends in a slash.</param>
internal sealed class EtcdSource(
    DiscoverySettings settings, string prefix, TimeProvider clock, Random random, StoreHttpOptions options) : IBackendSource
{
    public async Task WatchAsync(Action<SourceReading> report, CancellationToken stop)
    {
        using var client = new EtcdClient(settings.Etcd, DiscoveryAccess.Of(settings), options, clock);
        await new EtcdWatch(client, prefix, settings.Interval, random).RunAsync(
            listing => report(listing.IsOk ? Read(listing.Value, prefix) : new SourceReading.Unknown(listing.Fault)), stop);
    }

    /// <summary>The reading that a listing makes. A key that is the prefix itself stands for the folder and is no backend.</summary>
    internal static SourceReading Read(EtcdListing listing, string prefix)
    {
        Registration[] all =
        [
            .. listing.Entries.Where(e => e.Key.Length > prefix.Length)
                .Select(e => new Registration(e.Key[(e.Key.LastIndexOf('/') + 1)..], e.Value, e.Modified)),
        ];
        return Registration.Read(all, listing.Revision.ToString(CultureInfo.InvariantCulture));
    }
}
