using System.Collections.Immutable;
using L4Balancer.Etcd;
using L4Balancer.Stores;
using L4Balancer.Tests.Fronting;

namespace L4Balancer.Tests.Etcd;

/// <summary>A cluster of members, each a process. Disposal kills all.</summary>
internal sealed class EtcdCluster : IAsyncDisposable
{
    private EtcdCluster(ImmutableArray<EtcdServer> members) => Members = members;

    public ImmutableArray<EtcdServer> Members { get; }

    public ImmutableArray<Uri> Endpoints => [.. Members.Select(m => m.Client)];

    /// <summary>For a configuration: <c>["http://127.0.0.1:1", …]</c>.</summary>
    public string Toml => $"[{string.Join(", ", Members.Select(m => $"\"{m.Client.OriginalString}\""))}]";

    /// <summary>Starts it on loopback and waits until each member serves.</summary>
    public static async Task<EtcdCluster> StartAsync(int members = 3)
    {
        EtcdServer.Require();
        int[] ports = EtcdServer.FreePorts(2 * members);
        string all = string.Join(',', Enumerable.Range(0, members).Select(i => $"m{i + 1}=http://127.0.0.1:{ports[(2 * i) + 1]}"));
        return await StartAsync(Enumerable.Range(0, members).Select(i => EtcdServer.Of($"m{i + 1}", "127.0.0.1", ports[2 * i], ports[(2 * i) + 1], all)));
    }

    /// <summary>Starts it on hosts of their own, and waits until each member serves.</summary>
    public static Task<EtcdCluster> StartAsync(IReadOnlyList<(VirtualHost Host, string Address)> places)
    {
        EtcdServer.Require();
        string all = string.Join(',', places.Select((p, i) => $"m{i + 1}=http://{p.Address}:2380"));
        return StartAsync(places.Select((p, i) => EtcdServer.Of($"m{i + 1}", p.Address, 2379, 2380, all, p.Host.Enter)));
    }

    private static async Task<EtcdCluster> StartAsync(IEnumerable<EtcdServer> members)
    {
        var cluster = new EtcdCluster([.. members]);
        foreach (EtcdServer member in cluster.Members)
        {
            member.Start();
        }

        await Task.WhenAll(cluster.Members.Select(m => m.ReadyAsync()));
        return cluster;
    }

    public EtcdClient Connect(StoreHttpOptions? options = null) => new(Endpoints, new StoreAccess(), options ?? new StoreHttpOptions(), TimeProvider.System);

    public async ValueTask DisposeAsync() => await Task.WhenAll(Members.Select(m => m.DisposeAsync().AsTask()));
}
