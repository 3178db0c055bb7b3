using System.Diagnostics;
using System.Net;

namespace L4Balancer.Tests.Fronting;

/// <summary>packaging/examples/keepalived, file by file: two balancers with keepalived, two backends and a client on one network.</summary>
internal sealed class VrrpPair : IAsyncDisposable
{
    private const string Example = "keepalived";

    /// <summary>keepalived says so of the first address, of which lb1 is the master.</summary>
    public const string BecameMaster = "(first) Entering MASTER";

    private readonly VirtualNetwork _network;
    private readonly HostProcess?[] _keepalived = new HostProcess?[2];

    private VrrpPair(VirtualNetwork network, VirtualHost client, FrontBalancer[] balancers)
    {
        _network = network;
        Client = client;
        Balancers = balancers;
    }

    public VirtualHost Client { get; }

    public FrontBalancer[] Balancers { get; }

    public FrontBalancer First => Balancers[0];

    public FrontBalancer Second => Balancers[1];

    /// <summary>The virtual addresses; lb1 is the master of the first one, lb2 of the second.</summary>
    public static IPEndPoint[] Services { get; } = [IPEndPoint.Parse("10.0.0.100:443"), IPEndPoint.Parse("10.0.0.101:443")];

    public static async Task<VrrpPair> StartAsync()
    {
        VirtualNetwork network = await VirtualNetwork.StartAsync(["keepalived", "curl"]);
        VirtualHost backends = await network.AddHostAsync("backends", "10.0.0.21/24", "10.0.0.22/24");
        network.Own(await NamingBackend.StartAsync(backends, IPEndPoint.Parse("10.0.0.21:8443"), IPEndPoint.Parse("10.0.0.22:8443")));
        VirtualHost client = await network.AddHostAsync("client", "10.0.0.2/24");
        FrontBalancer[] balancers =
        [
            network.Own(new FrontBalancer(await network.AddHostAsync("lb1", "10.0.0.11/24"), "10.0.0.11", FrontBalancer.FileOf(Example))),
            network.Own(new FrontBalancer(await network.AddHostAsync("lb2", "10.0.0.12/24"), "10.0.0.12", FrontBalancer.FileOf(Example))),
        ];
        var pair = new VrrpPair(network, client, balancers);
        await Task.WhenAll(balancers.Select(b => b.StartAsync()));
        foreach (FrontBalancer balancer in balancers)
        {
            await balancer.Host.InstallAsync(
                Example, "/etc/keepalived", "ready", $"keepalived-{balancer.Host.Name}.conf as keepalived.conf");
            pair.StartKeepalived(balancer);
        }

        return pair;
    }

    public HostProcess Keepalived(FrontBalancer balancer) => _keepalived[Array.IndexOf(Balancers, balancer)]!;

    /// <summary>A previous one has to have ended, with its children: it does not start beside a process that one of its files names.</summary>
    public void StartKeepalived(FrontBalancer balancer) => _keepalived[Array.IndexOf(Balancers, balancer)] = _network.Own(new HostProcess(
        balancer.Host, "keepalived", "--dont-fork", "--log-console", "--log-detail"));

    /// <summary>
    /// SIGKILL to the main process. Its child, which speaks VRRP, gets SIGTERM then (PR_SET_PDEATHSIG), removes the addresses and its file
    /// in /run, and ends after a second. That is waited for, as systemd does before it starts a service again.
    /// </summary>
    public Task KillKeepalivedAsync(FrontBalancer balancer) => Keepalived(balancer).KillAsync(alone: true);

    /// <summary>Waits until the last that keepalived has seen is a daemon that is ready, so that failures count from none.</summary>
    public async Task ScriptSucceedsAsync(FrontBalancer balancer)
    {
        HostProcess keepalived = Keepalived(balancer);
        var waited = Stopwatch.StartNew();
        while (Array.FindLast(keepalived.Output, l => l.Contains("Script `ready` now returning", StringComparison.Ordinal)) is string last
            && !last.EndsWith(" 0", StringComparison.Ordinal))
        {
            Assert.That(
                waited.Elapsed, Is.LessThan(DaemonProcess.Deadline),
                $"{balancer.Host.Name} is not ready:\n{string.Join('\n', keepalived.Output)}");
            await Task.Delay(20);
        }
    }

    public Task SetPortAsync(FrontBalancer balancer, bool on) => _network.SetPortAsync(balancer.Host, on);

    /// <summary>Clients of one virtual address, once its own master serves it.</summary>
    public async Task<SteadyClients> ClientsOfAsync(int service)
    {
        var clients = new SteadyClients(Client, Services[service], DiagnosisAsync);
        await clients.ServedByAsync(TimeSpan.Zero, Balancers[service].Address);
        return clients;
    }

    /// <summary>Connections to a virtual address that stay open.</summary>
    public async Task<FrontClient[]> HoldAsync(int service, int count)
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        var held = new FrontClient[count];
        for (int i = 0; i < count; i++)
        {
            held[i] = await FrontClient.ConnectAsync(Client, Services[service], deadline.Token);
        }

        return held;
    }

    public ValueTask DisposeAsync() => _network.DisposeAsync();

    // Who has which address, whom the client takes for its owner, and what keepalived has said.
    private async Task<string> DiagnosisAsync()
    {
        string[] all = [.. await Task.WhenAll(
            Balancers.Select(b => b.Host.ShellAsync("ip -br link show eth0; ip -br addr show eth0"))
                .Append(Client.ShellAsync("ip neigh")))];
        return string.Join('\n', all.Concat(Balancers.SelectMany(b => Keepalived(b).Output.Prepend($"keepalived of {b.Host.Name}:"))));
    }
}
