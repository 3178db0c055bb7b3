using System.Security.Cryptography;
using L4Balancer.Configuration;
using L4Balancer.Core.Discovery;

namespace L4Balancer.Discovery;

/// <summary>
/// The source <c>file</c>: a TOML file that is looked at twice a second, links followed, and read when two looks in a row have found the same
/// file. All access happens on threads that may block: a file system that hangs makes the set unknown.
/// </summary>
/// <param name="again">How often the file is read without a change.</param>
internal sealed class FileSource(string path, TimeSpan again, TimeProvider clock) : IBackendSource
{
    internal static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(500);

    /// <summary>How long a look may take before the set is reported as unknown; the look goes on, and no other begins before it has ended.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private const int VersionLength = 12;

    private object? _seen;
    private object? _read;
    private long _readAt;
    private bool _hasReported;

    public async Task WatchAsync(Action<SourceReading> report, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            if (await LookAsync(report, stop) is { } reading)
            {
                _hasReported = true;
                report(reading);
            }

            await Task.Delay(BetweenLooks, clock, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<SourceReading?> LookAsync(Action<SourceReading> report, CancellationToken stop)
    {
        try
        {
            Task<SourceReading?> look = OwnThread.RunAsync("l4b-discovery", Look);
            try
            {
                return await look.WaitAsync(Patience, clock, stop);
            }
            catch (TimeoutException)
            {
                report(new SourceReading.Unknown($"{path}: its file system does not answer"));
                return await look.WaitAsync(stop);
            }
        }
        catch (OperationCanceledException)
        {
            return null;
        }
        catch (Exception e)
        {
            return Unknown(e.Message);
        }
    }

    private SourceReading? Look()
    {
        object? now = ConfigFile.StampOf(path);
        bool isStill = now is not null && now.Equals(_seen);
        bool isFirst = !_hasReported;
        _seen = now;
        if (now is null)
        {
            bool isGone = _read is not null;
            _read = null;
            return isFirst || isGone || IsDue() ? Unknown("no such file") : null;
        }

        // The first look reads at once: a daemon that starts waits for it.
        bool isNews = !now.Equals(_read) || IsDue();
        return isNews && (isStill || isFirst) ? Read(now) : null;
    }

    private SourceReading? Read(object stamp)
    {
        _read = stamp;
        try
        {
            byte[] text = PlainFile.Read(path, BackendsFile.LargestText);
            if (!stamp.Equals(ConfigFile.StampOf(path)))
            {
                // It has changed meanwhile, so that what was read may be a part of it.
                _read = null;
                return null;
            }

            string version = Convert.ToHexStringLower(SHA256.HashData(text))[..VersionLength];
            return BackendsFile.Read(text, version) switch
            {
                SourceReading.Unknown fault => Unknown(fault.Why),
                SourceReading reading => Noted(reading),
            };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Unknown(e.Message);
        }
    }

    private bool IsDue() => clock.GetElapsedTime(_readAt) >= again;

    private SourceReading.Unknown Unknown(string why)
    {
        _ = Noted(null);
        return new SourceReading.Unknown($"{path}: {why}");
    }

    private SourceReading? Noted(SourceReading? reading)
    {
        _readAt = clock.GetTimestamp();
        return reading;
    }
}
