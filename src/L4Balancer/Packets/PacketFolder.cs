using System.Globalization;
using System.Text;
using L4Balancer.Core.Balancing;
using L4Balancer.Core.Config;
using L4Balancer.Engine.Packets;
using L4Balancer.Platform;

namespace L4Balancer.Packets;

/// <summary>
/// Where a daemon's programs and maps are pinned, so that the next process finds them: by the admin socket, which no two daemons of a host share, else
/// by the file of the configuration.
/// </summary>
internal static class PacketFolder
{
    /// <summary>Another root than <see cref="PacketPlaneOptions.DefaultRoot"/>, where the file system of BPF is mounted elsewhere.</summary>
    public const string RootVariable = "L4BALANCER_BPF_ROOT";

    /// <param name="path">The file of the configuration; null if it was not read from a file.</param>
    /// <param name="isRoot">Whether the daemon has root, which says where its socket is.</param>
    /// <param name="environment">Reads a variable of the environment.</param>
    public static string For(BalancerConfig config, string? path, bool isRoot, Func<string, string?> environment)
    {
        string root = environment(RootVariable) is { Length: > 0 } other ? other : PacketPlaneOptions.DefaultRoot;
        string? socket = LocalSocket.ForDaemon(config.Admin.Socket, isRoot, environment);
        string key = string.IsNullOrEmpty(socket) ? Path.GetFullPath(path ?? ".") : socket;

        // The file system allows no dots in names.
        return Path.Combine(root, new RouteKey(Encoding.UTF8.GetBytes(key)).Hash(seed: 0).ToString("x16", CultureInfo.InvariantCulture));
    }
}
