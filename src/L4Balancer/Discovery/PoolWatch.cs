using L4Balancer.Core.Config;
using L4Balancer.Core.Discovery;
using L4Balancer.Core.Timing;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Discovery;

/// <summary>
/// Runs the source of one pool for as long as its settings stay, and keeps what is believed of its readings. A source that throws, or that
/// ends by itself, is started again after a growing pause. Any thread may read.
/// </summary>
internal sealed class PoolWatch : IAsyncDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan LongestEnd = TimeSpan.FromSeconds(2);

    /// <summary>A timer may be a moment early, and a reading that arrives before the hold is over confirms nothing.</summary>
    private static readonly TimeSpan AfterHold = TimeSpan.FromMilliseconds(50);

    private readonly Lock _gate = new();
    private readonly Func<IBackendSource> _create;
    private readonly Action _changed;
    private readonly TimeProvider _clock;
    private readonly DiscoveryNews _news;
    private readonly ILogger _log;
    private readonly CancellationTokenSource _end = new();
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ITimer _confirm;
    private CancellationTokenSource? _round;
    private volatile Belief _belief;
    private Task _running = Task.CompletedTask;

    /// <param name="before">What was believed of the source that this one replaces.</param>
    /// <param name="create">Makes the source, anew after each failure.</param>
    /// <param name="changed">Called on any thread when another set is believed; returns at once.</param>
    public PoolWatch(
        string pool, DiscoverySettings settings, Belief before, Func<IBackendSource> create, Action changed, TimeProvider clock, ILogger log)
    {
        Pool = pool;
        Settings = settings;
        _belief = before;
        _create = create;
        _changed = changed;
        _clock = clock;
        _log = log;
        _news = new DiscoveryNews(pool, settings, clock, log);
        Since = Instant.Now(clock);
        _confirm = clock.CreateTimer(_ => Confirm(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public string Pool { get; }

    public DiscoverySettings Settings { get; }

    /// <summary>The kind of the source as its key is written.</summary>
    public string Source => _news.Source;

    /// <summary>When the watch began.</summary>
    public Instant Since { get; }

    public Belief Belief => _belief;

    /// <summary>The largest set that is believed: what fits in the pool beside the backends of the file.</summary>
    public int Most { get; set; } = PoolSettings.MostBackends;

    /// <summary>Completes with the first reading, whatever it says.</summary>
    public Task First => _first.Task;

    public void Start() => _running = Task.Run(RunAsync);

    /// <summary>Ends the watch; no reading changes anything from now on.</summary>
    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _confirm.DisposeAsync();

        // A source ends within a second. One that does not must not keep the daemon from ending.
        if (await Task.WhenAny(_running, Task.Delay(LongestEnd)) == _running)
        {
            _end.Dispose();
        }
    }

    private async Task RunAsync()
    {
        TimeSpan pause = FirstPause;
        while (!_end.IsCancellationRequested)
        {
            using var round = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
            lock (_gate)
            {
                _round = round;
            }

            long began = _clock.GetTimestamp();
            Exception? fault = await WatchAsync(round);
            bool isAskedAgain;
            lock (_gate)
            {
                _round = null;
                isAskedAgain = round.IsCancellationRequested;
            }

            if (isAskedAgain)
            {
                continue;
            }

            // Also a source that ends without an exception has failed: it reports until it is cancelled.
            pause = _clock.GetElapsedTime(began) > LongestPause ? FirstPause : pause;
            _log.WatchFailed(Pool, _news.Source, Duration.Format(pause), fault);
            await Task.Delay(pause * (1 + Random.Shared.NextDouble() / 2), _clock, _end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            pause = pause + pause < LongestPause ? pause + pause : LongestPause;
        }
    }

    private async Task<Exception?> WatchAsync(CancellationTokenSource round)
    {
        Exception? fault = null;
        IBackendSource? source = null;
        try
        {
            source = _create();
            await source.WatchAsync(reading => Report(round, reading), round.Token);
        }
        catch (Exception e)
        {
            fault = e;
        }

        try
        {
            await (source switch
            {
                IAsyncDisposable both => both.DisposeAsync(),
                IDisposable one => Dispose(one),
                _ => ValueTask.CompletedTask,
            });
        }
        catch (Exception e)
        {
            fault ??= e;
        }

        if (!round.IsCancellationRequested)
        {
            Report(round, new SourceReading.Unknown(fault is null ? "the watch has ended" : $"the watch has failed: {fault.Message}"));
        }

        return fault;
    }

    private static ValueTask Dispose(IDisposable source)
    {
        source.Dispose();
        return ValueTask.CompletedTask;
    }

    private void Report(CancellationTokenSource round, SourceReading reading)
    {
        bool isNew;
        lock (_gate)
        {
            if (_round != round || round.IsCancellationRequested)
            {
                return;
            }

            Instant now = Instant.Now(_clock);
            Belief before = _belief;
            Belief after = before.After(reading, now, Settings.Hold, Most);
            _belief = after;
            _news.Tell(before, after);
            if (after.Held is { } held && held.Since != before.Held?.Since)
            {
                _confirm.Change(Settings.Hold + AfterHold, Timeout.InfiniteTimeSpan);
            }

            isNew = after.Set is { } set && (before.Set is not { } old || old != set);
        }

        if (isNew)
        {
            _changed();
        }

        _first.TrySetResult();
    }

    // The second reading of a set that was held: the watch begins anew, so that all of it is read again now, and not when the store changes next.
    private void Confirm()
    {
        lock (_gate)
        {
            if (_belief.Held is not null)
            {
                _ = _round?.CancelAsync();
            }
        }
    }
}
