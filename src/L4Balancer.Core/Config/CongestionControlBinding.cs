namespace L4Balancer.Core.Config;

/// <summary>
/// <c>congestion_control</c> of listeners and pools. Whether the kernel has the algorithm is checked at start, on the host that runs
/// the daemon.
/// </summary>
internal static class CongestionControlBinding
{
    /// <summary>TCP_CA_NAME_MAX in linux/tcp.h is 16, including the terminating zero.</summary>
    private const int LongestName = 15;

    public static string Bind(TableBinder table, string fallback)
    {
        if (!table.TryGet("congestion_control", out Setting setting) || !setting.TryText("a name like \"cubic\"", out string name))
        {
            return fallback;
        }

        bool valid = (name.Length <= LongestName && name.All(static c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '_'))
            || setting.Reject(
                $"{Quoted.Text(name)} is not a congestion control name; allowed: \"\" for the system default, or 1 to {LongestName} characters of a-z 0-9 _");
        return valid ? name : fallback;
    }
}
