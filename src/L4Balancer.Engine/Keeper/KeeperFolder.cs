using System.Globalization;
using System.Runtime.Versioning;
using L4Balancer.Engine.Ledger;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Keeper;

/// <summary>The directory, mode 0700, that the ledger and the sockets of keepers lie in.</summary>
[SupportedOSPlatform("linux")]
public sealed class KeeperFolder
{
    private readonly string _path;

    private KeeperFolder(string path) => _path = path;

    /// <summary>Where the ledger lies: of the daemon that runs, or of the one that has failed.</summary>
    public string Ledger => Path.Combine(_path, "ledger");

    /// <summary>Makes the directory if it is not there.</summary>
    /// <param name="fault">Why it cannot be used, as text for a log.</param>
    public static KeeperFolder? TryPrepare(string path, out string? fault)
    {
        fault = PrivateFolder.Prepare(path);
        return fault is null ? new KeeperFolder(path) : null;
    }

    /// <summary>
    /// The socket of the keeper of a daemon. Each has its own, so that an heir may have its keeper before that of its predecessor ends.
    /// </summary>
    public string SocketOf(LedgerWriter daemon) =>
        Path.Combine(_path, string.Create(CultureInfo.InvariantCulture, $"keeper-{daemon.Process}-{daemon.Started}"));
}
