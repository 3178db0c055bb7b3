using System.Diagnostics;
using System.Globalization;
using L4Balancer.Tests.Etcd;

namespace L4Balancer.Tests.Fleet;

/// <summary>
/// A cluster of three members of etcd, two backends that each balancer may judge for itself, and three balancers: each of them on a host of its
/// own, or all on loopback where none can be made.
/// </summary>
internal sealed class FleetScene : IAsyncDisposable
{
    public const string Name = "chat";

    public const string Zone = "lb.example.com";

    /// <summary>Short, so that the tests are.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(2);

    /// <summary>Bad probes in a row that take a backend down.</summary>
    public const int Fall = 2;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("l4b-fleet-");
    private readonly string _health;

    private FleetScene(FleetHosts? hosts, string why, EtcdCluster etcd, JudgedBackend[] backends, string health)
    {
        Hosts = hosts;
        WhyNoHosts = why;
        Etcd = etcd;
        Backends = backends;
        _health = health;
        Balancers = [.. new[] { "lb1", "lb2", "lb3" }.Select(id => new FleetMemberProcess(id, _folder.FullName, ConfigOf, EnterOf(id)))];
    }

    /// <summary>Null: all is on loopback.</summary>
    public FleetHosts? Hosts { get; }

    public string WhyNoHosts { get; }

    public EtcdCluster Etcd { get; }

    public JudgedBackend[] Backends { get; }

    public FleetMemberProcess[] Balancers { get; }

    public static async Task<FleetScene> StartAsync(string health = "vote")
    {
        EtcdServer.Require();
        (FleetHosts? hosts, string why) = await FleetHosts.TryStartAsync();
        EtcdCluster etcd = await (hosts is null ? EtcdCluster.StartAsync() : EtcdCluster.StartAsync(hosts.Etcd));
        JudgedBackend[] backends = hosts is null ? [new(), new()] : [await hosts.BackendAsync(0), await hosts.BackendAsync(1)];
        var scene = new FleetScene(hosts, why, etcd, backends, health);
        await Task.WhenAll(scene.Balancers.Select(b => b.StartAsync()));
        await scene.AllAsync(async b => (await b.MembersAsync()).Length == 3, "all see all");
        return scene;
    }

    /// <summary>The public address of a balancer.</summary>
    public static string AddressOf(string id) => $"192.0.2.{id.Last(char.IsAsciiDigit)}";

    /// <summary>Another process with this id.</summary>
    public FleetMemberProcess Twin(string id) => new(
        id + "-twin", _folder.FullName, file => ConfigOf(file).Replace($"id = \"{file}\"", $"id = \"{id}\"", StringComparison.Ordinal), EnterOf(id));

    /// <summary>Waits until it is so on all balancers.</summary>
    /// <param name="what">For the message.</param>
    /// <returns>How long that took.</returns>
    public Task<TimeSpan> AllAsync(Func<FleetMemberProcess, Task<bool>> holds, string what) => AllAsync(Balancers, holds, what);

    public static async Task<TimeSpan> AllAsync(IEnumerable<FleetMemberProcess> balancers, Func<FleetMemberProcess, Task<bool>> holds, string what)
    {
        var waited = Stopwatch.StartNew();
        foreach (FleetMemberProcess balancer in balancers)
        {
            while (!await holds(balancer))
            {
                Assert.That(
                    waited.Elapsed, Is.LessThan(DaemonProcess.Deadline),
                    $"{balancer.Id}: not yet so: {what}\n{await balancer.FleetAsync()}\n{string.Join('\n', balancer.Daemon.Output)}");
                await Task.Delay(10);
            }
        }

        return waited.Elapsed;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (FleetMemberProcess balancer in Balancers)
        {
            await balancer.DisposeAsync();
        }

        foreach (JudgedBackend backend in Backends)
        {
            await backend.DisposeAsync();
        }

        await Etcd.DisposeAsync();
        await (Hosts?.DisposeAsync() ?? ValueTask.CompletedTask);
        _folder.Delete(recursive: true);
    }

    private string[] EnterOf(string id) => Hosts?.Balancers[NumberOf(id)].Host.Enter ?? [];

    private static int NumberOf(string id) => id[2] - '1';

    // The backends of the large pool stand in another order in each file.
    private string ConfigOf(string id)
    {
        int turn = id.Sum(static c => c) % 7;
        string own = Hosts?.Balancers[NumberOf(id)].Address ?? "127.0.0.1";
        string[] rooms = [.. Enumerable.Range(0, 40).Select(i => (i + turn) % 40).Select(i => string.Create(CultureInfo.InvariantCulture, $$"""
              [[pools.backends]]
              name = "r{{i}}"
              address = "10.7.0.{{i + 1}}:80"
              weight = {{50 + i}}
            """))];
        return $$"""
            [balancer]
            shutdown_grace = "0s"
            state_file = "{{Path.Combine(_folder.FullName, $"{id}.json")}}"
            [admin]
            socket = "{{Path.Combine(_folder.FullName, $"{id}.sock")}}"
            [fleet]
            name = "{{Name}}"
            id = "{{id}}"
            etcd = {{Etcd.Toml}}
            lease = "{{Lease.TotalSeconds}}s"
            health = "{{_health}}"
            [dns]
            listen = "{{own}}:0"
            zone = "{{Zone}}"
            address = ["{{AddressOf(id)}}"]
            rate_per_source = 0
            [[listeners]]
            name = "wss"
            bind = ["{{own}}:0"]
            pool = "chat"
            [[pools]]
            name = "chat"
              [pools.health]
              type = "http"
              headers = { X-Balancer = "{{id}}" }
              interval = "100ms"
              fast_interval = "100ms"
              down_interval = "100ms"
              jitter = 0.0
              timeout = "3s"
              rise = 2
              fall = {{Fall}}
              [[pools.backends]]
              name = "ws1"
              address = "{{Backends[0].Endpoint}}"
              [[pools.backends]]
              name = "ws2"
              address = "{{Backends[1].Endpoint}}"
            [[pools]]
            name = "rooms"
            balance = "maglev"
              [pools.health]
              type = "none"
            {{string.Join('\n', rooms)}}

            """;
    }
}
