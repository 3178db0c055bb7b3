using L4Balancer.Core.Config;

namespace L4Balancer.Platform;

/// <summary>
/// The default path of the local socket: in /run for root, below XDG_RUNTIME_DIR for other users. A service without root has no
/// XDG_RUNTIME_DIR and uses the directory that its service manager created (RuntimeDirectory, systemd.exec(5)).
/// </summary>
internal static class LocalSocket
{
    public const string UserFolderVariable = "XDG_RUNTIME_DIR";
    public const string ServiceFolderVariable = "RUNTIME_DIRECTORY";

    private const string Name = "admin.sock";
    private const string Folder = "l4balancer";

    /// <summary>The path that a daemon uses.</summary>
    /// <returns>Null if a daemon without root has no directory for it.</returns>
    public static string? ForDaemon(string configured, bool root, Func<string, string?> variable)
    {
        if (configured != AdminSettings.DefaultSocket || root)
        {
            return configured;
        }

        // A colon-separated list if the unit names several directories.
        if (variable(ServiceFolderVariable)?.Split(':')[0] is { Length: > 0 } service)
        {
            return Path.Combine(service, Name);
        }

        return OfUser(variable);
    }

    /// <summary>The path that a command uses: the user's own daemon if it exists, else the host's.</summary>
    public static string ForClient(bool root, Func<string, string?> variable) =>
        !root && OfUser(variable) is string own && File.Exists(own) ? own : AdminSettings.DefaultSocket;

    /// <summary>Whether this process may make a file in the folder, which is tried.</summary>
    public static bool CanBeMadeIn(string folder)
    {
        try
        {
            string path = Path.Combine(folder, $".{Folder}-{Guid.NewGuid():N}");
            using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, FileOptions.DeleteOnClose);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static string? OfUser(Func<string, string?> variable) =>
        variable(UserFolderVariable) is { Length: > 0 } folder ? Path.Combine(folder, Folder, Name) : null;
}
