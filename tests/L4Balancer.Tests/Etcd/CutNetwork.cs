using System.Diagnostics;

namespace L4Balancer.Tests.Etcd;

/// <summary>A network namespace with a link to this host whose packets can be dropped (nft). Disposal removes both.</summary>
internal sealed class CutNetwork : IDisposable
{
    /// <summary>The address inside of the namespace.</summary>
    public const string Far = "10.255.77.2";

    private readonly string _name = $"l4b-{Environment.ProcessId}";

    /// <summary>Skips the test where namespaces may not be made.</summary>
    public CutNetwork()
    {
        string link = $"l4b{Environment.ProcessId % 1_000_000}";
        string script = $"""
            set -e
            ip netns add {_name}
            ip link add {link} type veth peer name eth0 netns {_name}
            ip addr add 10.255.77.1/30 dev {link}
            ip link set {link} up
            ip -n {_name} addr add {Far}/30 dev eth0
            ip -n {_name} link set eth0 up
            ip -n {_name} link set lo up
            ip netns exec {_name} nft list ruleset
            """;
        (int code, string errors) = Run(script);
        if (code != 0)
        {
            Dispose();
            Assert.Ignore($"no network namespace: {errors}");
        }
    }

    /// <summary>Starts a program inside of the namespace.</summary>
    public string[] Wrapper => ["ip", "netns", "exec", _name];

    /// <summary>From now on every packet that arrives is dropped.</summary>
    public void Cut() => Check(
        $"ip netns exec {_name} nft 'add table inet cut; add chain inet cut arriving {{ type filter hook input priority 0; }}; add rule inet cut arriving iifname eth0 drop'");

    public void Mend() => Check($"ip netns exec {_name} nft delete table inet cut");

    public void Dispose() => Run($"ip netns del {_name}");

    private static void Check(string script)
    {
        (int code, string errors) = Run(script);
        Assert.That(code, Is.Zero, errors);
    }

    private static (int Code, string Errors) Run(string script)
    {
        using Process shell = Process.Start(new ProcessStartInfo("sh", ["-c", script]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        shell.StandardOutput.ReadToEndAsync().ContinueWith(static _ => { }, TaskScheduler.Default);
        string errors = shell.StandardError.ReadToEnd();
        shell.WaitForExit();
        return (shell.ExitCode, errors);
    }
}
