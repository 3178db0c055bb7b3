using System.Threading.Channels;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Logging;
using L4Balancer.Metrics;
using Microsoft.Extensions.Logging;

namespace L4Balancer.AccessLog;

/// <summary>
/// Receives the engine's records, writes the access log and updates the histograms on a task of its own. The engine's thread only
/// copies a record into a bounded queue, and skips records that are neither logged nor measured. If the queue is full, the line is
/// dropped and counted.
/// </summary>
internal sealed class RecordLog : IRecordSink, IAsyncDisposable
{
    private const int Capacity = 8192;
    private const int FailuresPerSecond = 100;

    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly Channel<Entry> _entries =
        Channel.CreateBounded<Entry>(new BoundedChannelOptions(Capacity) { SingleReader = true });

    private readonly TimeProvider _clock;
    private readonly LogOutput _output;
    private readonly DurationHistograms? _histograms;
    private readonly ILogger _log;

    private readonly LineBudget _failures = new(FailuresPerSecond);
    private readonly Task _writing;
    private volatile AccessLogMode _mode;
    private volatile bool _logsConnects;
    private Instant _nextTelling;
    private long _dropped;
    private long _droppedTold;

    /// <param name="histograms">Null if metrics are off.</param>
    public RecordLog(
        BalancerSettings settings, LogOutput output, DurationHistograms? histograms, TimeProvider clock, ILogger<RecordLog> log)
    {
        Apply(settings);
        _clock = clock;
        _output = output;
        _histograms = histograms;
        _log = log;
        _writing = WriteAllAsync();
    }

    /// <summary>Applies changed values of <c>access_log</c> and <c>log_level</c>. Any thread.</summary>
    public void Apply(BalancerSettings settings)
    {
        _mode = settings.AccessLog;
        _logsConnects = settings.AccessLog != AccessLogMode.Off && settings.LogLevel <= Core.Config.LogLevel.Debug;
    }

    public void Established(in ConnectionRecord record)
    {
        if (_histograms is not null || _logsConnects)
        {
            Enqueue(record, ended: false);
        }
    }

    public void Ended(in ConnectionRecord record)
    {
        if ((_histograms is not null && record.IsEstablished) || IsLogged(record.Reason))
        {
            Enqueue(record, ended: true);
        }
    }

    /// <summary>Writes the queued records and ends the task.</summary>
    public async ValueTask DisposeAsync()
    {
        _entries.Writer.TryComplete();
        await _writing;
    }

    private void Enqueue(in ConnectionRecord record, bool ended)
    {
        if (_entries.Writer.TryWrite(new Entry(record, ended)))
        {
            return;
        }

        // The line is dropped, but the histograms must be correct, so the engine's thread updates them here.
        Interlocked.Add(ref _dropped, (ended ? IsLogged(record.Reason) : _logsConnects) ? 1 : 0);
        if (ended)
        {
            _histograms?.Ended(record);
        }
        else
        {
            _histograms?.Established(record);
        }
    }

    private bool IsLogged(CloseReason reason) =>
        _mode == AccessLogMode.All || (_mode == AccessLogMode.Failures && !reason.IsOrdinary());

    private async Task WriteAllAsync()
    {
        while (await WaitAsync())
        {
            // Batches the records of a short interval: waking this task for each record costs the engine more than the record.
            await Task.Delay(Gathering, _clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            while (_entries.Reader.TryRead(out Entry entry))
            {
                try
                {
                    Write(entry);
                }
                catch (Exception e)
                {
                    // A bug in the handling of one record must not end the log.
                    _log.RecordFailed(e);
                }
            }

            TellLosses(everything: false);
        }

        TellLosses(everything: true);
    }

    /// <returns>False after the last record.</returns>
    private async Task<bool> WaitAsync()
    {
        if (_failures.HeldBack == 0 && Interlocked.Read(ref _dropped) == _droppedTold)
        {
            return await _entries.Reader.WaitToReadAsync();
        }

        // Drops are reported when their second is over, even if no record follows.
        using var overdue = new CancellationTokenSource(Second, _clock);
        try
        {
            return await _entries.Reader.WaitToReadAsync(overdue.Token);
        }
        catch (OperationCanceledException)
        {
            return true;
        }
    }

    private void Write(in Entry entry)
    {
        if (!entry.Ended)
        {
            _histograms?.Established(entry.Record);
            if (_logsConnects)
            {
                WriteLine(entry, entry.Record.EstablishedAt);
            }

            return;
        }

        _histograms?.Ended(entry.Record);
        if (IsLogged(entry.Record.Reason) && (_mode == AccessLogMode.All || WithinBudget()))
        {
            WriteLine(entry, entry.Record.EndedAt);
        }
    }

    private bool WithinBudget()
    {
        TellLosses(everything: false);
        return _failures.TryTake(Instant.Now(_clock));
    }

    private void WriteLine(in Entry entry, Instant happened)
    {
        if (_output.DropsNow())
        {
            return;
        }

        DateTimeOffset time = _clock.GetUtcNow() - (Instant.Now(_clock) - happened);
        _output.Write(AccessLine.Format(_output.Format, entry.Record, entry.Ended, time));
    }

    private void TellLosses(bool everything)
    {
        int heldBack = _failures.TakeHeldBack(everything ? Instant.Never : Instant.Now(_clock));
        if (heldBack > 0)
        {
            _log.FailuresSuppressed(heldBack);
        }

        // Under a flood this runs for every batch, hundreds of times per second.
        Instant now = Instant.Now(_clock);
        long dropped = Interlocked.Read(ref _dropped);
        if (dropped != _droppedTold && (everything || now >= _nextTelling))
        {
            _log.RecordsDropped(dropped - _droppedTold);
            _droppedTold = dropped;
            _nextTelling = now + Second;
        }
    }

    private readonly record struct Entry(ConnectionRecord Record, bool Ended);
}
