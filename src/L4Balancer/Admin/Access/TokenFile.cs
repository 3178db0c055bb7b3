using System.Runtime.Versioning;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Admin.Access;

/// <summary>What <c>check</c> can find out about the token file of a configuration.</summary>
internal static class TokenFile
{
    /// <summary>Reads the file as the daemon does. A file that is not a regular one is left to the daemon: opening it may block.</summary>
    /// <param name="path">Empty if none is configured.</param>
    /// <returns>A warning with the remedy; null if nothing is wrong as far as it is known here.</returns>
    public static string? Warning(string path)
    {
        if (path.Length == 0 || (OperatingSystem.IsLinux() && FileStamp.Of(path) is { IsRegular: false }))
        {
            return null;
        }

        _ = AccessToken.Read(path, out string? warning);
        return warning ?? (OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess && IsForRootAlone(path)
            ? "only root can read it: a daemon that runs as another user, as the packaged service does, accepts no token. "
                + "chown root:l4balancer, chmod 640"
            : null);
    }

    [SupportedOSPlatform("linux")]
    private static bool IsForRootAlone(string path)
    {
        if (FileStamp.Of(path) is not { } file)
        {
            return false;
        }

        UnixFileMode mode = File.GetUnixFileMode(path);
        return file.User == 0 && (file.Group == 0 || !mode.HasFlag(UnixFileMode.GroupRead)) && !mode.HasFlag(UnixFileMode.OtherRead);
    }
}
