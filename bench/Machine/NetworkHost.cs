using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using L4Balancer.Core.Addressing;
using Microsoft.Win32.SafeHandles;

namespace L4Balancer.Bench.Machine;

/// <summary>A host of a <see cref="NetworkSwitch"/>: a network and a mount namespace with one interface, eth0 (network_namespaces(7)).</summary>
/// <param name="Number">The last number of its address; its two digits are also the last byte of its MAC address.</param>
/// <param name="Holder">The process that keeps the namespaces.</param>
internal sealed partial record NetworkHost(string Name, int Number, int Holder)
{
    private const int NewNet = 0x40000000; // CLONE_NEWNET

    public HostAddress Address => HostAddress.FromV4(0xC612_0000 + (uint)Number);

    public ulong Mac => 0x0200_0000_0000UL + (ulong)((16 * (Number / 10)) + (Number % 10));

    /// <summary>What a command begins with so that it runs on the host.</summary>
    public IReadOnlyList<string> Enter { get; } = ["nsenter", "-t", Holder.ToString(CultureInfo.InvariantCulture), "-n", "-m", "--"];

    /// <exception cref="InvalidOperationException">It fails; the message has what it said.</exception>
    public string Shell(string script)
    {
        var start = new ProcessStartInfo(Enter[0], [.. Enter.Skip(1), "sh", "-ec", $"exec 2>&1; {script}"]) { RedirectStandardOutput = true };
        using Process shell = Process.Start(start)!;
        string said = shell.StandardOutput.ReadToEnd();
        shell.WaitForExit();
        return shell.ExitCode == 0 ? said : throw new InvalidOperationException($"{Name}: {script}: {said.Trim()}");
    }

    /// <summary>Packets that eth0 has received and sent so far (proc(5), /proc/net/dev).</summary>
    public (long Received, long Sent) Packets()
    {
        string line = File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{Holder}/net/dev"))
            .First(static l => l.TrimStart().StartsWith("eth0:", StringComparison.Ordinal));
        long[] fields = [.. line.Split(':')[1].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(static w => long.Parse(w, CultureInfo.InvariantCulture))];
        return (fields[1], fields[9]);
    }

    /// <summary>Sockets that this thread opens in it are the host's (setns(2)).</summary>
    public static void In(int holder, Action body)
    {
        using SafeFileHandle own = File.OpenHandle("/proc/thread-self/ns/net");
        using SafeFileHandle other = File.OpenHandle(string.Create(CultureInfo.InvariantCulture, $"/proc/{holder}/ns/net"));
        SetSpace(other);
        try
        {
            body();
        }
        finally
        {
            SetSpace(own);
        }
    }

    private static void SetSpace(SafeFileHandle space)
    {
        if (setns((int)space.DangerousGetHandle(), NewNet) != 0)
        {
            throw new InvalidOperationException($"setns: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setns(int fd, int nstype);
}
