using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Fronting;

/// <summary>
/// packaging/examples/dns: two balancers that serve a delegated zone, below a parent zone and behind a resolver of BIND. The time that is
/// printed is that of docs/scaling.md.
/// </summary>
[Platform("Linux")]
[Parallelizable(ParallelScope.All)]
internal sealed class DnsTests
{
    private const string Resolver = "10.0.0.53";

    [Test]
    public async Task A_client_gets_the_address_of_a_balancer_that_lives()
    {
        await using VirtualNetwork network = await VirtualNetwork.StartAsync(["named", "dig"]);
        VirtualHost backends = await network.AddHostAsync("backends", "10.0.1.21/24", "10.0.1.22/24");
        network.Own(await NamingBackend.StartAsync(backends, IPEndPoint.Parse("10.0.1.21:8443"), IPEndPoint.Parse("10.0.1.22:8443")));
        FrontBalancer[] balancers = [await AddAsync(network, 1), await AddAsync(network, 2)];
        VirtualHost resolver = await network.AddHostAsync("resolver", $"{Resolver}/24", "203.0.113.53/24");
        await StartNamedAsync(network, resolver);
        VirtualHost client = await network.AddHostAsync("client", "10.0.0.2/24", "203.0.113.2/24");
        await Task.WhenAll(balancers.Select(b => b.StartAsync()));

        (string first, string balancer) = await ServedAsync(client, []);
        FrontBalancer dies = balancers.Single(b => b.Address == balancer);
        await dies.KillAsync();
        var clock = Stopwatch.StartNew();
        (string second, _) = await ServedAsync(client, [first]);
        await TestContext.Out.WriteLineAsync(FormattableString.Invariant(
            $"DNS, daemon killed (kill -9): a client of {first} is served by {second} after {clock.Elapsed.TotalSeconds:0.0} s"));
        Assert.That(clock.Elapsed, Is.LessThan(TimeSpan.FromSeconds(40)));
    }

    private static async Task<FrontBalancer> AddAsync(VirtualNetwork network, int number)
    {
        VirtualHost host = await network.AddHostAsync($"lb{number}", $"203.0.113.1{number}/24", $"10.0.1.1{number}/24");
        string text = await File.ReadAllTextAsync(Repository.PathOf("packaging", "examples", "dns", "balancer.toml"));
        string own = text.Replace("203.0.113.11", $"203.0.113.1{number}", StringComparison.Ordinal);
        return network.Own(new FrontBalancer(host, $"10.0.1.1{number}", DaemonProcess.ConfigFileWith(own)));
    }

    // It resolves for the client, and has the parent zone with the records of the example.
    private static async Task StartNamedAsync(VirtualNetwork network, VirtualHost host)
    {
        await host.InstallAsync("dns", "/etc/bind", "delegation.zone");
        await host.ShellAsync("""
            mkdir -p /run/named
            cat > /etc/bind/test.conf <<'END'
            options {
                directory "/run/named"; listen-on { any; }; listen-on-v6 { none; }; recursion yes; allow-query { any; };
                dnssec-validation no; pid-file none; empty-zones-enable no; prefetch 0;
            };
            zone "example.com" { type primary; file "/etc/bind/example.com.zone"; };
            END
            cat - /etc/bind/delegation.zone > /etc/bind/example.com.zone <<'END'
            $TTL 300
            @  SOA ns hostmaster 1 3600 600 86400 60
            @  NS ns
            ns A  203.0.113.53
            END
            """);
        network.Own(new HostProcess(host, "named", "-g", "-c", "/etc/bind/test.conf"));
    }

    /// <summary>As a client does: looks the name up, connects to what it gets, and begins anew where that fails.</summary>
    /// <param name="dead">Addresses that no longer serve.</param>
    /// <returns>The address that served, and the balancer as the backend sees it.</returns>
    private static async Task<(string Address, string Balancer)> ServedAsync(VirtualHost client, string[] dead)
    {
        var waited = Stopwatch.StartNew();
        string said = "";
        while (waited.Elapsed < DaemonProcess.Deadline)
        {
            said = await client.ShellAsync($"dig +short +tries=1 +time=3 @{Resolver} chat.example.com A || true");
            foreach (string line in said.Split('\n').Where(l => IPAddress.TryParse(l, out _)))
            {
                using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(3));
                var service = new IPEndPoint(IPAddress.Parse(line), 443);
                try
                {
                    using FrontClient connection = await FrontClient.ConnectAsync(client, service, patience.Token);
                    Assert.That(dead, Does.Not.Contain(line));
                    return (line, connection.Balancer);
                }
                catch (Exception e) when (e is SocketException or OperationCanceledException)
                {
                    // It looks the name up again.
                }
            }

            await Task.Delay(100);
        }

        throw new AssertionException($"not served; the resolver said last: {said}");
    }
}
