using L4Balancer.Configuration;
using L4Balancer.Core.Routing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Control;

/// <summary>
/// Saves what operators set at run time whenever it has changed, and now and then which backends were discovered. A thread of its own writes, because a disk may be slow or hang: the control loop
/// never waits. What could not be written is tried again until it can.
/// </summary>
internal sealed class StateWriter : IAsyncDisposable
{
    /// <summary>How long the answer to an operator, or the end of the daemon, is delayed by a disk that is slow.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    internal static readonly TimeSpan BetweenTries = TimeSpan.FromSeconds(30);

    /// <summary>How long a change of what was discovered waits for the next ones, of which a deployment has many.</summary>
    internal static readonly TimeSpan BetweenSets = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly StateFile _file;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly ITimer _retry;
    private DesiredState _followed;
    private SavedState _last;
    private SavedState? _due;
    private bool _isWriting;
    private bool _isLate;
    private volatile bool _hasFailed;
    private Task _writing = Task.CompletedTask;

    /// <param name="restored">
    /// The state that the daemon starts with. It is written at once if the file holds something else: backends that the configuration no longer has
    /// must not come back with their old state later.
    /// </param>
    public StateWriter(StateFile file, DesiredState restored, TimeProvider clock, ILogger log)
    {
        _file = file;
        _clock = clock;
        _log = log;
        _followed = restored;
        _last = SavedState.Of(restored);
        _retry = clock.CreateTimer(_ => TryAgain(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        if (file.Loaded is { } loaded ? !loaded.HasSameValues(_last) : _last.Discovered is not null)
        {
            lock (_gate)
            {
                Write(_last);
            }
        }
    }

    /// <summary>The state in force has changed, perhaps in another part. Never blocks; one thread at a time.</summary>
    public void Follow(DesiredState desired)
    {
        if (desired.Overrides == _followed.Overrides && desired.File == _followed.File && desired.Discovered == _followed.Discovered)
        {
            return;
        }

        _followed = desired;
        SavedState now = SavedState.Of(desired);
        lock (_gate)
        {
            bool isUrgent = !now.HasSameOverrides(_last);
            if (!isUrgent && now.HasSameValues(_last))
            {
                return;
            }

            _last = now;
            if (isUrgent)
            {
                Write(now);
            }
            else if (!_isLate)
            {
                _isLate = true;
                _retry.Change(BetweenSets, Timeout.InfiniteTimeSpan);
            }
        }
    }

    /// <summary>
    /// Completes when the state that was followed last is on the disk, when writing it has failed, or after <see cref="Patience"/>.
    /// </summary>
    public async Task SavedAsync()
    {
        Task writing;
        lock (_gate)
        {
            writing = _writing;
        }

        try
        {
            await writing.WaitAsync(Patience, _clock);
        }
        catch (TimeoutException)
        {
            _log.StateNotSaved(_file.Path, "the file system does not answer");
        }
    }

    /// <summary>Tries a last time to write what could not be written.</summary>
    public async ValueTask DisposeAsync()
    {
        await _retry.DisposeAsync();
        if (_hasFailed || _isLate)
        {
            TryAgain();
        }

        await SavedAsync();
    }

    private void TryAgain()
    {
        lock (_gate)
        {
            if (!_isWriting || _isLate)
            {
                Write(_last);
            }
        }
    }

    // Under the lock.
    private void Write(SavedState state)
    {
        _due = state;
        _isLate = false;
        if (!_isWriting)
        {
            _isWriting = true;
            try
            {
                _writing = OwnThread.RunAsync("l4b-write-state", WriteAll);
            }
            catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
            {
                // There is no thread at the moment.
                _isWriting = false;
                Fail(e);
            }
        }
    }

    private bool WriteAll()
    {
        while (true)
        {
            SavedState? state;
            lock (_gate)
            {
                state = _due;
                _due = null;
                if (state is null)
                {
                    _isWriting = false;
                    return true;
                }
            }

            try
            {
                _file.Write(state);
                _hasFailed = false;
            }
            catch (Exception e)
            {
                Fail(e);
            }
        }
    }

    private void Fail(Exception exception)
    {
        if (!_hasFailed)
        {
            _log.StateNotSaved(_file.Path, exception.Message.TrimEnd('.'));
        }

        _hasFailed = true;
        try
        {
            _retry.Change(BetweenTries, Timeout.InfiniteTimeSpan);
        }
        catch (ObjectDisposedException)
        {
            // The daemon is ending.
        }
    }
}
