using System.Globalization;

namespace L4Balancer.Systemd;

/// <summary>The environment that systemd sets for a service (systemd.exec(5)).</summary>
internal static class ServiceEnvironment
{
    /// <summary>The target of standard output, as the kernel names it: <c>socket:[4711]</c> for the journal's.</summary>
    private const string StandardOutput = "/proc/self/fd/1";

    /// <summary>
    /// Whether standard output goes to the journal. JOURNAL_STREAM holds the device and inode of that stream as <c>8:4711</c>. Child
    /// processes of a service inherit the variable, and on a desktop the terminal is such a process; so the inode is compared.
    /// </summary>
    public static bool OutputIsJournal() =>
        OperatingSystem.IsLinux() && OutputIsJournal(Environment.GetEnvironmentVariable("JOURNAL_STREAM"), LinkOf(StandardOutput));

    /// <param name="stream">The value of JOURNAL_STREAM.</param>
    /// <param name="output">The target of standard output, from its link in /proc.</param>
    internal static bool OutputIsJournal(string? stream, string? output) =>
        stream?.Split(':') is [_, string inode] && ulong.TryParse(inode, NumberStyles.None, CultureInfo.InvariantCulture, out _)
        && output is not null && output.EndsWith($":[{inode}]", StringComparison.Ordinal);

    private static string? LinkOf(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
