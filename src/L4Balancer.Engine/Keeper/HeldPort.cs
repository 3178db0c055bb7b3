using System.Globalization;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine.Ledger;

namespace L4Balancer.Engine.Keeper;

/// <summary>An address that the keeper of a daemon which has ended still listens on.</summary>
/// <param name="Keeper">The process id of the keeper.</param>
/// <param name="Daemon">That of the daemon.</param>
/// <param name="Folder">Where the files of both lie.</param>
/// <param name="Timeout">How long the keeper waits, from the end of the daemon or the last request of an heir; zero: not known.</param>
public sealed record HeldPort(int Keeper, int Daemon, string Folder, TimeSpan Timeout)
{
    private const string KeeperName = "l4b-keeper";
    private const string Listening = "0A";

    /// <summary>Looks through /proc (proc(5)), which may take some milliseconds: of use where a bind has failed.</summary>
    /// <returns>Null if no keeper of a daemon that has ended has it, or this process may not see that.</returns>
    [SupportedOSPlatform("linux")]
    public static HeldPort? Find(Endpoint endpoint)
    {
        try
        {
            HashSet<string> inodes = endpoint.IsUnix ? [] : [.. ListenersOf(endpoint.Port)];
            return Keepers().Select(keeper => Of(keeper, endpoint, inodes)).FirstOrDefault(static held => held is not null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return null;
        }
    }

    [SupportedOSPlatform("linux")]
    private static HeldPort? Of(int keeper, Endpoint endpoint, HashSet<string> inodes)
    {
        HashSet<string> own = SocketsOf(keeper);
        string? folder = null;
        LedgerWriter daemon = default;
        bool has = own.Overlaps(inodes);
        foreach (string line in File.ReadLines("/proc/net/unix").Skip(1))
        {
            // Num RefCount Protocol Flags Type St Inode Path
            string[] fields = line.Split(' ', 8, StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length < 8 || !own.Contains(fields[6]))
            {
                continue;
            }

            has |= endpoint.IsUnix && fields[7] == endpoint.UnixPath;
            if (KeeperFolder.TryParse(Path.GetFileName(fields[7]), LedgerWriter.Current(), out LedgerWriter found))
            {
                (folder, daemon) = (Path.GetDirectoryName(fields[7]), found);
            }
        }

        return has && folder is not null && !daemon.IsRunning()
            ? new HeldPort(keeper, daemon.Process, folder, Predecessor.TimeoutIn(folder, daemon)) : null;
    }

    private static IEnumerable<int> Keepers()
    {
        foreach (string path in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out int process) && IsKeeper(path))
            {
                yield return process;
            }
        }
    }

    private static bool IsKeeper(string path)
    {
        try
        {
            return File.ReadAllText($"{path}/comm").TrimEnd() == KeeperName;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It has ended.
            return false;
        }
    }

    private static HashSet<string> SocketsOf(int process)
    {
        HashSet<string> inodes = [];
        try
        {
            foreach (string path in Directory.EnumerateFileSystemEntries(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/fd")))
            {
                if (new FileInfo(path).LinkTarget is { } target && target.StartsWith("socket:[", StringComparison.Ordinal))
                {
                    inodes.Add(target["socket:[".Length..^1]);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another user's, or it has ended.
        }

        return inodes;
    }

    // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode ...
    private static IEnumerable<string> ListenersOf(ushort port) => ((string[])["/proc/net/tcp", "/proc/net/tcp6"])
        .Where(File.Exists)
        .SelectMany(File.ReadLines)
        .Select(static line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .Where(f => f.Length > 9 && f[3] == Listening && f[1].EndsWith($":{port:X4}", StringComparison.Ordinal))
        .Select(static f => f[9]);
}
