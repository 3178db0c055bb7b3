using System.Globalization;
using System.Runtime.Versioning;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Keeper;

/// <summary>
/// The directory, mode 0700, that ledgers and the sockets of keepers lie in. Each daemon has two files of its own, so that an heir has
/// both before those of its predecessor are removed. Any thread.
/// </summary>
[SupportedOSPlatform("linux")]
public sealed class KeeperFolder
{
    private const string SocketPrefix = "keeper-";
    private const string LedgerPrefix = "ledger-";

    private readonly string _path;

    private KeeperFolder(string path) => _path = path;

    /// <summary>Where failed recoveries are counted.</summary>
    public string Heirs => Path.Combine(_path, "heirs");

    /// <summary>Makes the directory if it is not there. Its parent is made too, for everybody to enter.</summary>
    /// <param name="fault">Why it cannot be used, as text for a log.</param>
    public static KeeperFolder? TryPrepare(string path, out string? fault)
    {
        const UnixFileMode parentMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;
        try
        {
            if (Path.GetDirectoryName(path) is { Length: > 0 } parent)
            {
                Directory.CreateDirectory(parent, parentMode);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            fault = e.Message.TrimEnd('.');
            return null;
        }

        fault = PrivateFolder.Prepare(path);
        return fault is null ? new KeeperFolder(path) : null;
    }

    /// <summary>The directory if it is there and can be trusted: nothing is made.</summary>
    public static KeeperFolder? TryOpen(string path) => PrivateFolder.FaultOf(path) is null ? new KeeperFolder(path) : null;

    /// <summary>The socket of the keeper of a daemon.</summary>
    public string SocketOf(LedgerWriter daemon) => PathOf(SocketPrefix, daemon);

    /// <summary>The ledger of a daemon; with <c>.new</c> after it while it is not complete.</summary>
    public string LedgerOf(LedgerWriter daemon) => PathOf(LedgerPrefix, daemon);

    /// <summary>The daemons that have a file here, of this boot or of none that is known.</summary>
    public IReadOnlyList<LedgerWriter> Daemons()
    {
        LedgerWriter current = LedgerWriter.Current();
        HashSet<LedgerWriter> daemons = [];
        try
        {
            foreach (string path in Directory.EnumerateFileSystemEntries(_path))
            {
                if (TryParse(Path.GetFileName(path), current, out LedgerWriter daemon))
                {
                    daemons.Add(daemon);
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It was removed: there is nothing.
        }

        return [.. daemons.OrderBy(d => d.Started).ThenBy(d => d.Process)];
    }

    /// <summary>Removes the files of a daemon.</summary>
    public void Remove(LedgerWriter daemon)
    {
        SharedFile.Remove(SocketOf(daemon));
        SharedFile.Remove(LedgerOf(daemon));
        SharedFile.Remove(LedgerOf(daemon) + ".new");
    }

    private string PathOf(string prefix, LedgerWriter daemon) =>
        Path.Combine(_path, string.Create(CultureInfo.InvariantCulture, $"{prefix}{daemon.Process}-{daemon.Started}"));

    /// <summary>Of which daemon a file is, by its name.</summary>
    /// <param name="current">Says of which boot.</param>
    internal static bool TryParse(string name, LedgerWriter current, out LedgerWriter daemon)
    {
        daemon = default;
        if (!name.StartsWith(SocketPrefix, StringComparison.Ordinal) && !name.StartsWith(LedgerPrefix, StringComparison.Ordinal))
        {
            return false;
        }

        string[] parts = name[SocketPrefix.Length..].Split('.')[0].Split('-');
        bool isName = parts.Length == 2 && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out _)
            && ulong.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out _);
        if (isName)
        {
            daemon = current with
            {
                Process = int.Parse(parts[0], CultureInfo.InvariantCulture),
                Started = ulong.Parse(parts[1], CultureInfo.InvariantCulture),
            };
        }

        return isName;
    }
}
