using L4Balancer.Core.Config;
using L4Balancer.Discovery;
using L4Balancer.Stores;

namespace L4Balancer.Tests.Discovery.Stores;

/// <summary>What stands in the way of a store.</summary>
internal enum StoreTrouble
{
    None,

    /// <summary>Nothing listens.</summary>
    Down,

    /// <summary>It takes connections and never answers, nor sends on those that are open: SIGSTOP, or packets that are dropped.</summary>
    Silent,

    /// <summary>It answers with something else.</summary>
    Rubbish,

    /// <summary>What is in it, or its answer, is cut off.</summary>
    HalfWritten,
}

/// <summary>A store of backends that a test fills and disturbs.</summary>
internal interface IStore : IAsyncDisposable
{
    /// <summary>Whether a weight can be told.</summary>
    bool HasWeights { get; }

    /// <summary>For <c>[pools.discovery]</c>, one key a line.</summary>
    string Toml { get; }

    IBackendSource Source(TimeSpan interval, StoreHttpOptions options);

    /// <summary>Adds a backend, or changes it.</summary>
    Task PutAsync(string name, string address, int weight = 100);

    Task RemoveAsync(string name);

    /// <summary>Everything is gone, as after the loss of its disk.</summary>
    Task WipeAsync();

    Task DisturbAsync(StoreTrouble trouble);

    /// <summary>What only needs a source and settings.</summary>
    static DiscoverySettings Settings(DiscoveryKind kind, TimeSpan interval) => new() { Kind = kind, Interval = interval };
}
