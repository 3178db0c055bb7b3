using System.Collections.Immutable;
using System.Text;

namespace L4Balancer.Etcd;

/// <summary>A key of etcd with its value. Immutable.</summary>
/// <param name="Key">UTF-8 in the store.</param>
/// <param name="Created">The revision at which the key appeared.</param>
/// <param name="Modified">The revision of the value.</param>
/// <param name="Lease">0: the key belongs to no lease.</param>
internal sealed record EtcdEntry(string Key, ReadOnlyMemory<byte> Value, long Created, long Modified, long Lease)
{
    public string Text => Encoding.UTF8.GetString(Value.Span);

    internal static EtcdEntry From(KeyValue message) =>
        new(Encoding.UTF8.GetString(message.Key ?? []), message.Value ?? [], message.CreateRevision, message.ModRevision, message.Lease);
}

/// <summary>All keys below a prefix at one revision of the store, in the order of their names. Immutable.</summary>
/// <param name="Revision">Grows with each change of anything in the store; smaller than before only if the store was replaced.</param>
internal sealed record EtcdListing(ImmutableArray<EtcdEntry> Entries, long Revision);

/// <summary>A lease: the keys under it disappear <paramref name="Ttl"/> after its last renewal. Immutable.</summary>
internal sealed record EtcdLease(long Id, TimeSpan Ttl);

/// <summary>The result of a write.</summary>
/// <param name="Revision">Of the store, after it.</param>
/// <param name="Succeeded">Of a transaction: whether every comparison held. Of a delete: whether there was something to delete.</param>
internal sealed record EtcdWritten(long Revision, bool Succeeded)
{
    /// <summary>What the gets of a transaction have found, in their order; a get of a missing key has found nothing.</summary>
    public ImmutableArray<EtcdEntry> Found { get; init; } = [];
}
