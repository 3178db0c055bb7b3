using System.Runtime.Versioning;
using System.Text;

namespace L4Balancer.Engine.Linux;

/// <summary>A directory that no other user may enter.</summary>
[SupportedOSPlatform("linux")]
internal static unsafe class PrivateFolder
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const ushort FormatMask = 0xF000; // S_IFMT
    private const ushort Directory = 0x4000; // S_IFDIR
    private const ushort OfOthers = 0x3F;

    /// <summary>Makes it with mode 0700 if it is not there.</summary>
    /// <returns>
    /// Null, or why it cannot be used, as text for a log: it is a link or no directory, another user owns it, or others have rights to it.
    /// </returns>
    public static string? Prepare(string path)
    {
        try
        {
            System.IO.Directory.CreateDirectory(path, OwnerOnly);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }

        return FaultOf(path);
    }

    /// <returns>Null, or why it cannot be trusted, as text for a log.</returns>
    public static string? FaultOf(string path)
    {
        Libc.StatX stat = default;
        fixed (byte* bytes = Encoding.UTF8.GetBytes(path + '\0'))
        {
            Errno error = SysResult.From(Libc.statx(Libc.AT_FDCWD, bytes, Libc.AT_SYMLINK_NOFOLLOW, Libc.STATX_BASIC_STATS, &stat)).Errno;
            if (error != Errno.None)
            {
                return $"{path}: {error}";
            }
        }

        return (stat.stx_mode & FormatMask) != Directory ? $"{path} is not a directory"
            : stat.stx_uid != Libc.geteuid() ? $"{path} belongs to another user"
            : (stat.stx_mode & OfOthers) != 0 ? $"{path} can be entered by other users: its mode must be 0700"
            : null;
    }
}
