using System.ComponentModel;
using System.Diagnostics;

namespace L4Balancer.Tests.Fronting;

/// <summary>
/// Hosts on one switch. Each has an interface <c>eth0</c> whose other end is a port of the switch with the name of the host.
/// </summary>
internal sealed class VirtualNetwork : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _owned = [];
    private readonly VirtualHost _switch;

    private VirtualNetwork(VirtualHost @switch)
    {
        _switch = @switch;
        _owned.Add(@switch);
    }

    /// <summary>Skips the test where there is no network, or one of these programs is missing.</summary>
    /// <param name="trial">What has to work on a host of its own.</param>
    public static async Task<VirtualNetwork> StartAsync(string[] programs, string trial = "true")
    {
        (VirtualNetwork? network, string why) = await TryStartAsync(programs, trial);
        if (network is null)
        {
            Assert.Ignore(why);
        }

        return network!;
    }

    /// <summary>As <see cref="StartAsync"/>; without a network says why.</summary>
    public static async Task<(VirtualNetwork? Network, string Why)> TryStartAsync(string[] programs, string trial = "true")
    {
        if (!Environment.IsPrivilegedProcess)
        {
            return (null, "hosts in namespaces need root");
        }

        foreach (string program in programs.Append("nsenter").Append("ip").Where(p => !IsInstalled(p)))
        {
            return (null, $"{program} is not installed");
        }

        VirtualHost? bridge = null;
        try
        {
            bridge = await VirtualHost.StartAsync("switch");
            await bridge.ShellAsync($"ip link add br0 type bridge; ip link set br0 up; {trial}");
            return (new VirtualNetwork(bridge), "");
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            await (bridge?.DisposeAsync() ?? ValueTask.CompletedTask);
            return (null, $"no such hosts in namespaces can be made here: {e.Message}");
        }
    }

    /// <param name="addresses">Of its eth0.</param>
    public async Task<VirtualHost> AddHostAsync(string name, params string[] addresses)
    {
        VirtualHost host = Own(await VirtualHost.StartAsync(name));
        await _switch.ShellAsync($"ip link add {name} type veth peer name eth0 netns {host.HolderId}; ip link set {name} master br0 up");
        string added = string.Concat(
            addresses.Select(a => $"ip addr add {a} dev eth0 {(a.Contains(':', StringComparison.Ordinal) ? "nodad" : "")}; "));
        await host.ShellAsync($"{added} ip link set eth0 up");
        return host;
    }

    /// <summary>Connects this machine to the switch, until the network is disposed of.</summary>
    /// <param name="link">The name of its interface, which no other may have.</param>
    /// <param name="address">With the length of its prefix; no other network of this machine may have addresses below it.</param>
    public async Task JoinAsync(string link, string address)
    {
        await _switch.ShellAsync($"ip link add here type veth peer name {link} netns {Environment.ProcessId}; ip link set here master br0 up");
        using Process shell = Process.Start("sh", ["-ec", $"ip addr add {address} dev {link}; ip link set {link} up"]);
        await shell.WaitForExitAsync();
        Assert.That(shell.ExitCode, Is.Zero);
    }

    /// <summary>Disposed of with the network, in the opposite order.</summary>
    public T Own<T>(T owned)
        where T : IAsyncDisposable
    {
        lock (_owned)
        {
            _owned.Add(owned);
        }

        return owned;
    }

    /// <summary>Runs a script at the switch.</summary>
    public Task ShellOfSwitchAsync(string script) => _switch.ShellAsync(script);

    /// <summary>Switches the port of a host off or on. The host sees no carrier, the others see nothing.</summary>
    public Task SetPortAsync(VirtualHost host, bool on) => _switch.ShellAsync($"ip link set {host.Name} {(on ? "up" : "down")}");

    public async ValueTask DisposeAsync()
    {
        for (int i = _owned.Count - 1; i >= 0; i--)
        {
            await _owned[i].DisposeAsync();
        }
    }

    private static bool IsInstalled(string program)
    {
        try
        {
            var start = new ProcessStartInfo("sh", ["-c", $"command -v {program}"]) { RedirectStandardOutput = true };
            using Process which = Process.Start(start)!;
            which.WaitForExit();
            return which.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }
}
