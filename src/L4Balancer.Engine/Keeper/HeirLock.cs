using System.Diagnostics;
using System.Runtime.Versioning;
using System.Text;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Keeper;

/// <summary>
/// One process at a time takes what the daemons of a folder have left: flock(2) on a file there. It is held by a thread with a table of descriptors
/// of its own (unshare(2)), because the keeper shares the table of the daemon and would keep the lock of one that was killed.
/// Any thread may release it.
/// </summary>
[SupportedOSPlatform("linux")]
public sealed class HeirLock : IDisposable
{
    private static readonly TimeSpan BetweenTries = TimeSpan.FromMilliseconds(20);

    private readonly string _path;
    private readonly TimeSpan _patience;
    private readonly Thread _holder;
    private readonly ManualResetEventSlim _tried = new();
    private readonly ManualResetEventSlim _released = new();
    private bool _isRefused;
    private bool _isDisposed;

    private HeirLock(string path, TimeSpan patience)
    {
        (_path, _patience) = (path, patience);
        _holder = new Thread(Hold) { Name = "l4b-heir", IsBackground = true };
        _holder.Start();
        _tried.Wait();
    }

    /// <summary>Blocks until the lock is free.</summary>
    /// <param name="patience">For so long at most.</param>
    /// <returns>
    /// Null if another process has it still. Where the file or the kernel cannot lock (before Linux 5.9, a full file system), an object that holds nothing:
    /// connections are worth more than the protection from a second heir.
    /// </returns>
    public static HeirLock? TryTake(KeeperFolder folder, TimeSpan patience)
    {
        ArgumentNullException.ThrowIfNull(folder);
        var taken = new HeirLock(folder.HeirsLock, patience);
        if (!taken._isRefused)
        {
            return taken;
        }

        taken.Dispose();
        return null;
    }

    /// <summary>Releases the lock: another process can have it once this returns.</summary>
    public void Dispose()
    {
        if (!_isDisposed)
        {
            _isDisposed = true;
            _released.Set();
            _holder.Join();
            _tried.Dispose();
            _released.Dispose();
        }
    }

    private void Hold()
    {
        int descriptor = HasOwnDescriptors() ? Open(_path) : -1;
        var waited = Stopwatch.StartNew();
        while (descriptor >= 0 && SysResult.From(Libc.flock(descriptor, Libc.LOCK_EX | Libc.LOCK_NB)).Errno == Errno.EAGAIN)
        {
            if (waited.Elapsed >= _patience)
            {
                _isRefused = true;
                break;
            }

            Thread.Sleep(BetweenTries);
        }

        _tried.Set();
        _released.Wait();
        if (descriptor >= 0)
        {
            _ = Libc.close(descriptor);
        }
    }

    // What is closed meanwhile stays open here until the lock is released: a second at most. To close the copies at once (close_range(2)) makes the
    // native runtime's thread spin when it ends.
    private static bool HasOwnDescriptors() => Libc.unshare(Libc.CLONE_FILES) == 0;

    private static unsafe int Open(string path)
    {
        const uint readWriteByOwner = 0x180; // 0600
        fixed (byte* bytes = Encoding.UTF8.GetBytes(path + '\0'))
        {
            return Libc.open(bytes, Libc.O_RDWR | Libc.O_CREAT | Libc.O_NOFOLLOW | Libc.O_CLOEXEC, readWriteByOwner);
        }
    }
}
