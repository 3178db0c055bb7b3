using System.Collections.Immutable;
using System.Text;

namespace L4Balancer.Etcd;

/// <summary>The changes of one message of a watch, in order. Immutable.</summary>
/// <param name="Changes">A deleted key has no entry.</param>
internal sealed record EtcdChanges(ImmutableArray<(string Key, EtcdEntry? Entry)> Changes, long Revision)
{
    internal static EtcdChanges From(WatchEvent[] events, long revision) =>
        new([.. events.Where(e => e.Kv is not null).Select(e => (Encoding.UTF8.GetString(e.Kv!.Key ?? []), e.Type == "DELETE" ? null : EtcdEntry.From(e.Kv)))], revision);
}

/// <summary>Why a watch has ended.</summary>
/// <param name="InTime">Its own time has passed.</param>
/// <param name="Why">Otherwise, in a few words.</param>
internal sealed record EtcdWatchEnd(bool InTime, string Why);
