using System.Collections.Immutable;
using System.Text;

namespace L4Balancer.Etcd;

/// <summary>Writes that happen together, if every comparison holds; otherwise the others. Immutable.</summary>
internal sealed record EtcdTransaction
{
    public ImmutableArray<EtcdCompare> If { get; init; } = [];

    public ImmutableArray<EtcdOperation> Then { get; init; } = [];

    public ImmutableArray<EtcdOperation> Else { get; init; } = [];

    internal TxnRequest ToMessage() =>
        new([.. If.Select(c => c.Message)], [.. Then.Select(o => o.Message)], [.. Else.Select(o => o.Message)]);
}

/// <summary>A condition of a transaction.</summary>
internal sealed class EtcdCompare
{
    private EtcdCompare(CompareMessage message) => Message = message;

    internal CompareMessage Message { get; }

    public static EtcdCompare Missing(string key) => CreatedAt(key, 0);

    public static EtcdCompare Exists(string key) => new(new(Encoding.UTF8.GetBytes(key), "CREATE", "GREATER") { CreateRevision = 0 });

    /// <param name="revision">0: the key is missing.</param>
    public static EtcdCompare CreatedAt(string key, long revision) =>
        new(new(Encoding.UTF8.GetBytes(key), "CREATE", "EQUAL") { CreateRevision = revision });

    /// <param name="revision">0: the key is missing.</param>
    public static EtcdCompare ModifiedAt(string key, long revision) =>
        new(new(Encoding.UTF8.GetBytes(key), "MOD", "EQUAL") { ModRevision = revision });

    public static EtcdCompare Equal(string key, ReadOnlySpan<byte> value) =>
        new(new(Encoding.UTF8.GetBytes(key), "VALUE", "EQUAL") { Value = value.ToArray() });
}

/// <summary>A step of a transaction.</summary>
internal sealed class EtcdOperation
{
    private EtcdOperation(RequestOperation message) => Message = message;

    internal RequestOperation Message { get; }

    /// <param name="lease">0: the key stays until it is deleted.</param>
    public static EtcdOperation Put(string key, ReadOnlySpan<byte> value, long lease = 0) =>
        new(new() { RequestPut = new(Encoding.UTF8.GetBytes(key), value.ToArray(), lease) });

    public static EtcdOperation Delete(string key) => new(new() { RequestDeleteRange = new(Encoding.UTF8.GetBytes(key), null) });

    public static EtcdOperation Get(string key) => new(new() { RequestRange = new(Encoding.UTF8.GetBytes(key), null) });
}
