using System.Globalization;
using System.Text;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Upgrade;

/// <summary>The environment of the new process, and what it finds in it.</summary>
internal static class UpgradeEnvironment
{
    /// <summary>The number of the inherited descriptor over which the old process leads the upgrade.</summary>
    public const string Descriptor = "L4BALANCER_UPGRADE_FD";

    // Sockets of a socket unit come over with the others, and the watchdog means the process that is the main one, whatever its number.
    private static readonly string[] NotPassed = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID", "WATCHDOG_PID", Descriptor];

    /// <summary>
    /// What this process was started with, except for what was meant for this process alone. It is read from the kernel, because the daemon has
    /// removed variables of the runtime from its own.
    /// </summary>
    public static IReadOnlyDictionary<string, string> ForChild(bool withFault)
    {
        Dictionary<string, string> variables = [];
        foreach (string entry in Encoding.UTF8.GetString(File.ReadAllBytes("/proc/self/environ")).Split('\0', StringSplitOptions.RemoveEmptyEntries))
        {
            int sign = entry.IndexOf('=', StringComparison.Ordinal);
            if (sign > 0)
            {
                variables[entry[..sign]] = entry[(sign + 1)..];
            }
        }

        Array.ForEach(NotPassed, name => variables.Remove(name));
        if (!withFault)
        {
            variables.Remove(UpgradeFaults.Variable);
        }

        return variables;
    }

    /// <summary>
    /// The channel to the process that this one is to replace. The variable is removed. Called once, before there are other threads that start
    /// processes.
    /// </summary>
    /// <returns>Null if this process replaces none.</returns>
    public static UpgradeChannel? TakeChannel()
    {
        string? number = Environment.GetEnvironmentVariable(Descriptor);
        Environment.SetEnvironmentVariable(Descriptor, null);
        if (!OperatingSystem.IsLinux() || !int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int descriptor)
            || PacketPair.TryTake(descriptor) is not PacketPair pair)
        {
            return null;
        }

        pair.Peer = WatchedProcess.TryOpen(pair.Maker);
        return new UpgradeChannel(pair) { Other = "the old process" };
    }
}
