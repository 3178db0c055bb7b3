using System.Collections.Immutable;
using System.Text;

namespace L4Balancer.Etcd;

/// <summary>The changes of one message of a watch, in order. Immutable.</summary>
/// <param name="Changes">A deleted key has no entry; the revision is that of the change.</param>
internal sealed record EtcdChanges(ImmutableArray<(string Key, EtcdEntry? Entry, long Revision)> Changes, long Revision)
{
    /// <param name="events">Each has a key.</param>
    internal static EtcdChanges From(WatchEvent?[] events, long revision) =>
        new([.. events.Select(static e => From(e!.Type, e.Kv!))], revision);

    private static (string Key, EtcdEntry? Entry, long Revision) From(string? type, KeyValue message) =>
        (Encoding.UTF8.GetString(message.Key ?? []), type == "DELETE" ? null : EtcdEntry.From(message), message.ModRevision);
}

/// <summary>Why a watch has ended.</summary>
/// <param name="InTime">Its own time has passed.</param>
/// <param name="Why">Otherwise, in a few words.</param>
internal sealed record EtcdWatchEnd(bool InTime, string Why);
