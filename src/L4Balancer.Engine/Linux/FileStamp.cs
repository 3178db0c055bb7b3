using System.Runtime.Versioning;
using System.Text;

namespace L4Balancer.Engine.Linux;

/// <summary>
/// What statx(2) says of the file behind a path, links followed: two stamps that are equal are of the same unchanged file. A file that is
/// replaced by a rename has another inode number, and one that is written in place another time.
/// </summary>
[SupportedOSPlatform("linux")]
public readonly record struct FileStamp
{
    private const int FormatMask = 0xF000; // S_IFMT
    private const int Regular = 0x8000; // S_IFREG
    private const int Directory = 0x4000; // S_IFDIR

    private readonly (ushort Mode, (uint, uint) Device, ulong Inode, ulong Size, (long, uint) Modified, (long, uint) Changed) _file;

    private FileStamp(in Libc.StatX stat)
    {
        (User, Group) = (stat.stx_uid, stat.stx_gid);
        _file = (
            stat.stx_mode, (stat.stx_dev_major, stat.stx_dev_minor), stat.stx_ino, stat.stx_size,
            (stat.stx_mtime_sec, stat.stx_mtime_nsec), (stat.stx_ctime_sec, stat.stx_ctime_nsec));
    }

    /// <summary>The user id of its owner.</summary>
    public uint User { get; }

    /// <summary>The id of its group.</summary>
    public uint Group { get; }

    public bool IsRegular => (_file.Mode & FormatMask) == Regular;

    public bool IsDirectory => (_file.Mode & FormatMask) == Directory;

    /// <summary>Any thread. Opens nothing, so that it does not wait for the writer of a pipe; a network file system may still block it.</summary>
    /// <returns>Null if there is no such file, or it cannot be reached.</returns>
    public static unsafe FileStamp? Of(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        byte[] name = Encoding.UTF8.GetBytes(path + '\0');
        Libc.StatX stat = default;
        fixed (byte* text = name)
        {
            return Libc.statx(Libc.AT_FDCWD, text, 0, Libc.STATX_BASIC_STATS, &stat) == 0 ? new FileStamp(stat) : null;
        }
    }
}
