using System.Runtime.InteropServices;

namespace L4Balancer.Bench.Reports;

/// <summary>What a reader of the figures has to know of the machine.</summary>
internal sealed record MachineFacts(
    string Processor, int Processors, bool Virtual, string Kernel, string Runtime, string Congestion, bool OwnNamespace, string LoadAtStart)
{
    public static MachineFacts Read()
    {
        string[] cpu = File.ReadAllLines("/proc/cpuinfo");
        string model = cpu.FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim()
            ?? RuntimeInformation.ProcessArchitecture.ToString();
        return new MachineFacts(
            model,
            cpu.Count(l => l.StartsWith("processor", StringComparison.Ordinal)),
            cpu.Any(l => l.StartsWith("flags", StringComparison.Ordinal) && l.Contains(" hypervisor", StringComparison.Ordinal)),
            File.ReadAllText("/proc/sys/kernel/osrelease").Trim(),
            RuntimeInformation.FrameworkDescription,
            File.ReadAllText("/proc/sys/net/ipv4/tcp_congestion_control").Trim(),
            Machine.NetworkNamespace.Entered,
            string.Join(' ', File.ReadAllText("/proc/loadavg").Split(' ')[..3]));
    }

    public void Print() => Console.WriteLine(
        $"{Processor}, {Processors} processors{(Virtual ? ", virtual" : "")}; Linux {Kernel}; {Runtime}; congestion control {Congestion}; " +
        $"{(OwnNamespace ? "own network namespace" : "the host's network settings")}; load {LoadAtStart}");
}
