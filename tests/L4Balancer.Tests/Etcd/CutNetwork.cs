using System.Diagnostics;

namespace L4Balancer.Tests.Etcd;

/// <summary>A network namespace with a link to this host whose packets can be dropped (nft). Disposal removes both.</summary>
internal sealed class CutNetwork : IDisposable
{
    private static int _made;

    private readonly string _name;

    /// <summary>Skips the test where namespaces may not be made.</summary>
    public CutNetwork()
    {
        int number = Interlocked.Increment(ref _made);
        _name = $"l4b-{Environment.ProcessId}-{number}";
        string link = $"l4bc{Environment.ProcessId % 10_000_000}x{number % 100}";

        // Four addresses for each, so that those of several test processes seldom meet.
        int block = ((Environment.ProcessId * 16) + number) % 16_384 * 4;
        Near = $"10.254.{block / 256}.{(block % 256) + 1}";
        Far = $"10.254.{block / 256}.{(block % 256) + 2}";
        string script = $"""
            set -e
            ip netns add {_name}
            ip link add {link} type veth peer name eth0 netns {_name}
            ip addr add {Near}/30 dev {link}
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

    /// <summary>The address of this host.</summary>
    public string Near { get; }

    /// <summary>The address inside of the namespace.</summary>
    public string Far { get; }

    /// <summary>Starts a program inside of the namespace.</summary>
    public string[] Wrapper => ["ip", "netns", "exec", _name];

    /// <summary>From now on every packet that arrives is dropped.</summary>
    public void Cut() => Check(
        $"ip netns exec {_name} nft 'add table inet cut; add chain inet cut arriving {{ type filter hook input priority 0; }}; add rule inet cut arriving iifname eth0 drop'");

    /// <summary>From now on every packet to and from this port of the other side is dropped, TCP and UDP.</summary>
    public void Cut(int port) => Check(
        $$"""
        ip netns exec {{_name}} nft '
            add table inet cut
            add chain inet cut arriving { type filter hook input priority 0; }
            add chain inet cut leaving { type filter hook output priority 0; }
            add rule inet cut arriving ip saddr {{Near}} th sport {{port}} drop
            add rule inet cut leaving ip daddr {{Near}} th dport {{port}} drop
        '
        """);

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
