using L4Balancer.Core.Config;

namespace L4Balancer.Platform;

/// <summary>
/// Where the local socket is when nobody says: that of root in /run, that of another user below XDG_RUNTIME_DIR. A service that is
/// not root has no such folder; its service manager made it one (RuntimeDirectory, systemd.exec(5)).
/// </summary>
internal static class LocalSocket
{
    public const string UserFolderVariable = "XDG_RUNTIME_DIR";
    public const string ServiceFolderVariable = "RUNTIME_DIRECTORY";

    private const string Name = "admin.sock";
    private const string Folder = "l4balancer";

    /// <summary>What a daemon makes of its configuration.</summary>
    /// <returns>Null where a user's daemon has no folder for it.</returns>
    public static string? ForDaemon(string configured, bool root, Func<string, string?> variable)
    {
        if (configured != AdminSettings.DefaultSocket || root)
        {
            return configured;
        }

        // A list with colons where the unit names more than one.
        if (variable(ServiceFolderVariable)?.Split(':')[0] is { Length: > 0 } service)
        {
            return Path.Combine(service, Name);
        }

        return OfUser(variable);
    }

    /// <summary>Where a command looks: the user's own daemon where there is one, else the host's.</summary>
    public static string ForClient(bool root, Func<string, string?> variable) =>
        !root && OfUser(variable) is string own && File.Exists(own) ? own : AdminSettings.DefaultSocket;

    private static string? OfUser(Func<string, string?> variable) =>
        variable(UserFolderVariable) is { Length: > 0 } folder ? Path.Combine(folder, Folder, Name) : null;
}
