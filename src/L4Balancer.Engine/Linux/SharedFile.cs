using System.Text;

namespace L4Balancer.Engine.Linux;

/// <summary>
/// A regular file of this user, mode 0600, that is mapped as a whole (mmap(2), MAP_SHARED): what is written is in the page cache at once,
/// and outlives the process. A path is never followed through a symbolic link. One caller at a time, except for <see cref="Reserve"/>.
/// </summary>
internal sealed unsafe class SharedFile : IDisposable
{
    private const ushort FormatMask = 0xF000; // S_IFMT
    private const ushort Regular = 0x8000; // S_IFREG
    private const ushort OfOthers = 0x3F; // every permission of the group and of others

    private int _descriptor;

    private SharedFile(int descriptor, byte* start, long length)
    {
        _descriptor = descriptor;
        Start = start;
        Length = length;
    }

    /// <summary>The first byte; null after <see cref="Dispose"/>.</summary>
    public byte* Start { get; private set; }

    /// <summary>In bytes.</summary>
    public long Length { get; }

    /// <summary>All of a file that was opened by <see cref="OpenExisting"/>; valid until <see cref="Dispose"/>.</summary>
    public ReadOnlySpan<byte> Bytes => new(Start, (int)Length);

    /// <summary>
    /// Makes a file that must not exist yet. It has no memory at first: bytes may be written only after <see cref="Reserve"/>, because a
    /// write for which a full file system has no page ends the process (SIGBUS).
    /// </summary>
    /// <param name="error">EEXIST, ENOENT, ENOSPC and others of open(2), ftruncate(2) and mmap(2).</param>
    /// <returns>Null after an error; the file is removed again.</returns>
    public static SharedFile? Create(string path, long length, out Errno error)
    {
        SysResult opened = Open(path, Libc.O_RDWR | Libc.O_CREAT | Libc.O_EXCL);
        error = opened.Errno;
        if (opened.IsError)
        {
            return null;
        }

        error = SysResult.From(Libc.ftruncate(opened.Value, length)).Errno;
        SharedFile? file = error == Errno.None ? Map(opened.Value, length, Libc.PROT_READ | Libc.PROT_WRITE, out error) : null;
        if (file is null)
        {
            _ = Libc.close(opened.Value);
            Remove(path);
        }

        return file;
    }

    /// <summary>Maps an existing file, which is only read.</summary>
    /// <param name="error">
    /// EACCES if it is not a regular file, or if another user owns it or may read it; EINVAL if it is empty; or one of open(2).
    /// </param>
    public static SharedFile? OpenExisting(string path, out Errno error)
    {
        // O_NONBLOCK: a FIFO must not block the caller before it is refused.
        SysResult opened = Open(path, Libc.O_RDONLY | Libc.O_NONBLOCK);
        error = opened.Errno;
        if (opened.IsError)
        {
            return null;
        }

        Libc.StatX stat = default;
        byte nothing = 0;
        error = SysResult.From(Libc.statx(opened.Value, &nothing, Libc.AT_EMPTY_PATH, Libc.STATX_BASIC_STATS, &stat)).Errno;
        if (error == Errno.None)
        {
            bool isOurs = (stat.stx_mode & FormatMask) == Regular && (stat.stx_mode & OfOthers) == 0 && stat.stx_uid == Libc.geteuid();
            error = !isOurs ? Errno.EACCES : stat.stx_size is 0 or > int.MaxValue ? Errno.EINVAL : Errno.None;
        }

        SharedFile? file = error == Errno.None ? Map(opened.Value, (long)stat.stx_size, Libc.PROT_READ, out error) : null;
        if (file is null)
        {
            _ = Libc.close(opened.Value);
        }

        return file;
    }

    /// <summary>Allocates the memory of a part of the file (posix_fallocate(3)). Any thread.</summary>
    /// <returns>ENOSPC if the file system is full.</returns>
    public Errno Reserve(long offset, long length) => (Errno)Libc.posix_fallocate(_descriptor, offset, length);

    /// <summary>rename(2): a file that the second path names is replaced.</summary>
    public static Errno Rename(string from, string to)
    {
        fixed (byte* old = Path(from), renamed = Path(to))
        {
            return SysResult.From(Libc.rename(old, renamed)).Errno;
        }
    }

    /// <summary>unlink(2); ENOENT if there is none.</summary>
    public static Errno Remove(string path)
    {
        fixed (byte* bytes = Path(path))
        {
            return SysResult.From(Libc.unlink(bytes)).Errno;
        }
    }

    public void Dispose()
    {
        if (_descriptor >= 0)
        {
            _ = Libc.munmap(Start, (nuint)Length);
            _ = Libc.close(_descriptor);
            _descriptor = -1;
            Start = null;
        }
    }

    private static SharedFile? Map(int descriptor, long length, int protection, out Errno error)
    {
        void* mapped = Libc.mmap(null, (nuint)length, protection, Libc.MAP_SHARED, descriptor, 0);
        error = mapped == Libc.MAP_FAILED ? SysResult.From(-1).Errno : Errno.None;
        return error == Errno.None ? new SharedFile(descriptor, (byte*)mapped, length) : null;
    }

    private static SysResult Open(string path, int flags)
    {
        const uint readWriteByOwner = 0x180; // 0600
        SysResult opened;
        fixed (byte* bytes = Path(path))
        {
            do
            {
                opened = SysResult.From(Libc.open(bytes, flags | Libc.O_NOFOLLOW | Libc.O_CLOEXEC, readWriteByOwner));
            }
            while (opened.Errno == Errno.EINTR);
        }

        return opened;
    }

    private static byte[] Path(string path) => Encoding.UTF8.GetBytes(path + '\0');
}
