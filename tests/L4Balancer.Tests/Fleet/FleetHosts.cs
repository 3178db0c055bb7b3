using System.Net;
using System.Net.Sockets;
using L4Balancer.Tests.Fronting;

namespace L4Balancer.Tests.Fleet;

/// <summary>Hosts on one network, which this machine is on too: three for balancers, three for members of etcd, one for backends.</summary>
internal sealed class FleetHosts : IAsyncDisposable
{
    private readonly VirtualNetwork _network;
    private readonly (VirtualHost Host, string Address) _backends;

    private FleetHosts(VirtualNetwork network, (VirtualHost Host, string Address)[] hosts)
    {
        _network = network;
        Balancers = hosts[..3];
        Etcd = hosts[3..6];
        _backends = hosts[6];
    }

    public IReadOnlyList<(VirtualHost Host, string Address)> Balancers { get; }

    public IReadOnlyList<(VirtualHost Host, string Address)> Etcd { get; }

    /// <summary>Without hosts says why.</summary>
    public static async Task<(FleetHosts? Hosts, string Why)> TryStartAsync()
    {
        (VirtualNetwork? network, string why) = await VirtualNetwork.TryStartAsync(["nft"], "nft list ruleset");
        if (network is null)
        {
            return (null, why);
        }

        // Addresses of its own for each process: tests of several checkouts may run on one machine.
        int id = Environment.ProcessId;
        string net = $"10.{128 + (id / 256 % 64)}.{id % 256}";
        await network.JoinAsync($"l4bf{id}", $"{net}.1/24");
        string[] names = ["lb1", "lb2", "lb3", "etcd1", "etcd2", "etcd3", "backends"];
        var hosts = new List<(VirtualHost, string)>();
        foreach (string name in names)
        {
            string address = $"{net}.{11 + hosts.Count}";
            hosts.Add((await network.AddHostAsync(name, $"{address}/24"), address));
        }

        return (new FleetHosts(network, [.. hosts]), "");
    }

    /// <summary>A backend on the host of backends; another address for each.</summary>
    public async Task<JudgedBackend> BackendAsync(int number)
    {
        await _backends.Host.ShellAsync($"ip addr add {Of(number)}/24 dev eth0");
        return new JudgedBackend(await _backends.Host.NewSocketAsync(AddressFamily.InterNetwork), IPAddress.Parse(Of(number)));
    }

    public ValueTask DisposeAsync() => _network.DisposeAsync();

    private string Of(int backend) => $"{_backends.Address[.._backends.Address.LastIndexOf('.')]}.{31 + backend}";
}
