using System.Globalization;
using System.Runtime.Versioning;
using L4Balancer.Engine.Linux;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Systemd;

/// <summary>
/// The sockets that a socket unit passes (sd_listen_fds(3)): LISTEN_FDS of them from descriptor 3 on, for the process that LISTEN_PID
/// names. LISTEN_FDNAMES is not needed: sockets are assigned to listeners by their address.
/// </summary>
internal static class ListenDescriptors
{
    private const int First = 3;
    private const int MostShown = 10;

    private static readonly string[] Variables = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"];

    /// <summary>
    /// Takes them once: the variables are removed, and the descriptors are not inherited by child processes, which would otherwise treat
    /// the sockets as theirs. A number for which no socket was passed is left alone: it may be a descriptor of this process by now.
    /// </summary>
    [SupportedOSPlatform("linux")]
    public static IReadOnlyList<int> Take(ILogger log)
    {
        IReadOnlyList<int> promised = In(Environment.GetEnvironmentVariable, Environment.ProcessId);
        Array.ForEach(Variables, variable => Environment.SetEnvironmentVariable(variable, null));
        int[] passed = [.. promised.Where(d => Descriptors.IsInheritedSocket(d) && Descriptors.CloseOnExec(d) == 0)];
        if (passed.Length < promised.Count)
        {
            int[] others = [.. promised.Except(passed)];
            string shown = string.Join(", ", others.Take(MostShown)) + (others.Length > MostShown ? ", ..." : "");
            log.SocketsNotPassed(promised.Count, others.Length, shown);
        }

        return passed;
    }

    /// <returns>Empty if there are none, or if they are meant for another process.</returns>
    internal static IReadOnlyList<int> In(Func<string, string?> variable, int process) =>
        int.TryParse(variable("LISTEN_PID"), NumberStyles.None, CultureInfo.InvariantCulture, out int meant) && meant == process
        && int.TryParse(variable("LISTEN_FDS"), NumberStyles.None, CultureInfo.InvariantCulture, out int count)
        && count is > 0 and < ushort.MaxValue
            ? [.. Enumerable.Range(First, count)]
            : [];
}
