using L4Balancer.Configuration;
using L4Balancer.Control;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Hosting;

/// <summary>
/// Reloads the configuration when its file changes on disk (<c>watch</c>). The file is looked at every second, links followed: that sees a
/// write in place, a rename over it, and the change of a link anywhere on its path, as Kubernetes changes <c>..data</c> of a ConfigMap; it
/// works on network file systems, and needs no inotify watch. The files that it includes, and new ones that fit a pattern of
/// <c>include</c>, count as well. A change is applied when two looks in a row have found the same file.
/// </summary>
internal sealed class FileWatch : IAsyncDisposable
{
    internal static readonly TimeSpan BetweenLooks = TimeSpan.FromSeconds(1);

    /// <summary>From the end of a read that took too long to the next one of the same file.</summary>
    internal static readonly TimeSpan BetweenTries = TimeSpan.FromMinutes(1);

    private const string Who = "watch";

    private readonly Lock _gate = new();
    private readonly string _path;
    private readonly Func<object?> _read;
    private readonly Func<string, Task> _reload;
    private readonly ILogger _log;
    private readonly TimeProvider _clock;
    private readonly ITimer _timer;
    private object? _previous;
    private object? _tried;
    private long _triedAt;
    private bool _isOn;
    private bool _isGone;
    private Task _reloading = Task.CompletedTask;

    /// <param name="path">The file.</param>
    /// <param name="read">
    /// The stamp of the file that was read last (<see cref="ConfigFile.Stamp"/>), whether it could be applied or not.
    /// </param>
    /// <param name="reload">Reads the file again; its argument is the origin of the request.</param>
    public FileWatch(string path, Func<object?> read, Func<string, Task> reload, TimeProvider clock, ILogger<FileWatch> log)
    {
        _path = path;
        _read = read;
        _reload = reload;
        _log = log;
        _clock = clock;
        _timer = clock.CreateTimer(_ => Due(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>
    /// Whether a reload must not begin now: the file is looked at again later, and a change that came meanwhile is seen then.
    /// </summary>
    public Func<bool> IsHeld { get; init; } = static () => false;

    /// <summary>Looks at the file from now on, or no longer. Any thread; never blocks.</summary>
    public void Set(bool on)
    {
        lock (_gate)
        {
            if (on != _isOn)
            {
                _isOn = on;
                _timer.Change(on ? BetweenLooks : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        // A look that a file system holds up is not waited for.
        Set(false);
        _timer.Dispose();
        await _reloading;
    }

    // The timer is set again when the look has ended: one that hangs does not pile up.
    private void Due()
    {
        try
        {
            Look();
        }
        catch (Exception e)
        {
            _log.PeriodicJobFailed("the check of the configuration file", e);
        }

        lock (_gate)
        {
            if (_isOn)
            {
                _timer.Change(BetweenLooks, Timeout.InfiniteTimeSpan);
            }
        }
    }

    private void Look()
    {
        if (!_reloading.IsCompleted || IsHeld())
        {
            return;
        }

        object? now = _read() is ConfigStamp files ? files.Again() : ConfigFile.StampOf(_path);
        (object? before, _previous) = (_previous, now);
        if (now is null)
        {
            if (!_isGone)
            {
                _log.WatchedFileGone(_path);
            }

            _isGone = true;
            return;
        }

        // A file that was read is not read again, whatever its errors. One of which the read took too long is tried again later.
        _isGone = false;
        bool isDue = !now.Equals(_tried) || _clock.GetElapsedTime(_triedAt) >= BetweenTries;
        if (now.Equals(before) && !now.Equals(_read()) && isDue)
        {
            lock (_gate)
            {
                if (!_isOn)
                {
                    return;
                }

                _tried = now;
                _reloading = ReloadAsync();
            }
        }
    }

    private async Task ReloadAsync()
    {
        await GuardedReload.RunAsync(_reload, Who, _log);
        _triedAt = _clock.GetTimestamp();
    }
}
