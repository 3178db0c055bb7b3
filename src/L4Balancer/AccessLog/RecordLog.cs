using L4Balancer.Core.Accounting;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Timing;
using L4Balancer.Logging;
using L4Balancer.Metrics;
using Microsoft.Extensions.Logging;

namespace L4Balancer.AccessLog;

/// <summary>
/// Receives the engine's records, writes the access log and updates the histograms on a thread of its own. The engine's thread only
/// copies a record into a bounded queue, and skips records that are neither logged nor measured. If the queue is full, the line is
/// dropped and counted. The thread takes what has come in an interval, formats it into one buffer and hands that to the output, so that
/// thousands of lines need two wake-ups and one write.
/// </summary>
internal sealed class RecordLog : IRecordSink, IAsyncDisposable
{
    private const int Capacity = 8192;
    private const int FailuresPerSecond = 100;

    /// <summary>Lines are handed to the output when they have this many bytes, so that it writes while the next ones are formatted.</summary>
    private const int PartBytes = 64 * 1024;

    /// <summary>
    /// How long records are gathered: each batch costs two wake-ups. It ends early if the queue is half full, and no reader of a log sees the
    /// delay.
    /// </summary>
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly RecordQueue _queue = new(Capacity);
    private readonly TimeProvider _clock;
    private readonly LogOutput _output;
    private readonly DurationHistograms? _histograms;
    private readonly ILogger _log;

    private readonly LineBudget _failures = new(FailuresPerSecond);
    private readonly AccessLine _line;
    private readonly LineBuffer _lines = new(4096);
    private readonly Thread _writer;
    private volatile Choice _choice;
    private int _lineCount;
    private Instant _now;
    private DateTimeOffset? _origin;
    private Instant _nextTelling;
    private long _dropped;
    private long _droppedTold;

    /// <param name="histograms">Null if metrics are off.</param>
    public RecordLog(
        BalancerSettings settings, LogOutput output, DurationHistograms? histograms, TimeProvider clock, ILogger<RecordLog> log)
    {
        _choice = Choice.Of(settings);
        _clock = clock;
        _output = output;
        _histograms = histograms;
        _log = log;
        _line = new AccessLine(output.Format);
        _writer = new Thread(WriteAll) { IsBackground = true, Name = "access log" };
        _writer.Start();
    }

    /// <summary>Applies changed values of the keys of the access log and of <c>log_level</c>. Any thread.</summary>
    public void Apply(BalancerSettings settings) => _choice = Choice.Of(settings);

    public void Established(in ConnectionRecord record)
    {
        if (_histograms is not null || _choice.Starts)
        {
            Enqueue(record, LineKind.Start);
        }
    }

    public void Alive(in ConnectionRecord record)
    {
        if (_choice.Living)
        {
            Enqueue(record, LineKind.Alive);
        }
    }

    public void Ended(in ConnectionRecord record)
    {
        if ((_histograms is not null && record.IsEstablished) || _choice.Includes(record.Reason))
        {
            Enqueue(record, LineKind.End);
        }
    }

    /// <summary>Writes the queued records and ends the thread.</summary>
    public async ValueTask DisposeAsync()
    {
        _queue.Close();
        await Task.Run(() => _writer.Join());
        _line.Dispose();
    }

    private void Enqueue(in ConnectionRecord record, LineKind kind)
    {
        if (_queue.TryAdd(record, kind))
        {
            return;
        }

        // The line is dropped, but the histograms must be correct, so the engine's thread updates them here.
        Interlocked.Add(ref _dropped, _choice.Has(kind, record.Reason) ? 1 : 0);
        Measure(record, kind);
    }

    private void Measure(in ConnectionRecord record, LineKind kind)
    {
        if (kind == LineKind.Start)
        {
            _histograms?.Established(record);
        }
        else if (kind == LineKind.End)
        {
            _histograms?.Ended(record);
        }
    }

    private void WriteAll()
    {
        bool isOver;
        do
        {
            // Drops are reported when their second is over, even if no record follows.
            bool isTelling = _failures.HeldBack > 0 || Interlocked.Read(ref _dropped) != _droppedTold;
            ReadOnlySpan<RecordEntry> entries = _queue.Take(isTelling ? Second : Timeout.InfiniteTimeSpan, Gathering, out isOver);
            _now = Instant.Now(_clock);
            _origin = null;
            foreach (ref readonly RecordEntry entry in entries)
            {
                Guarded(entry, static (RecordLog log, in RecordEntry record) => log.Write(record));
            }

            Guarded(isOver, static (RecordLog log, in bool everything) =>
            {
                log.HandOver();
                log.TellLosses(everything);
            });
        }
        while (!isOver);
    }

    // A bug in the handling of one record, or a shortage of memory, must not end the log.
    private void Guarded<T>(in T subject, Step<T> step)
    {
        try
        {
            step(this, subject);
        }
        catch (Exception e)
        {
            _log.RecordFailed(e);
        }
    }

    private void Write(in RecordEntry entry)
    {
        Measure(entry.Record, entry.Kind);
        Choice choice = _choice;
        if (choice.Has(entry.Kind, entry.Record.Reason) && (entry.Kind != LineKind.End || choice.All || _failures.TryTake(_now)))
        {
            WriteLine(entry, choice);
        }
    }

    private void WriteLine(in RecordEntry entry, Choice choice)
    {
        if (_lineCount == 0 && _output.DropsNow())
        {
            return;
        }

        int length = _lines.Length;
        try
        {
            // The time of day is asked for once for the whole batch.
            _origin ??= _clock.GetUtcNow() - (_now - default(Instant));
            Instant happened = entry.Kind == LineKind.Start ? entry.Record.EstablishedAt : entry.Record.EndedAt;
            bool isDebug = entry.Kind == LineKind.Start && !choice.StartsByKey;
            _line.Append(_lines, entry.Record, entry.Kind, choice.HasKinds, isDebug, _origin.Value + (happened - default(Instant)));
        }
        catch
        {
            _lines.Clear(length);
            throw;
        }

        _lineCount++;
        if (_lines.Length >= PartBytes)
        {
            HandOver();
        }
    }

    private void HandOver()
    {
        if (_lineCount > 0)
        {
            _output.Write(_lines.Written, _lineCount);
            _lines.Clear();
            _lineCount = 0;
        }
    }

    private void TellLosses(bool everything)
    {
        int heldBack = _failures.TakeHeldBack(everything ? Instant.Never : _now);
        if (heldBack > 0)
        {
            _log.FailuresSuppressed(heldBack);
        }

        // Under a flood this runs for every batch, dozens of times per second.
        long dropped = Interlocked.Read(ref _dropped);
        if (dropped != _droppedTold && (everything || _now >= _nextTelling))
        {
            _log.RecordsDropped(dropped - _droppedTold);
            _droppedTold = dropped;
            _nextTelling = _now + Second;
        }
    }

    private delegate void Step<T>(RecordLog log, in T subject);

    /// <summary>Which lines are written, as one value: a reload changes all of it at once.</summary>
    /// <param name="Mode"><c>access_log</c>.</param>
    /// <param name="StartsByKey"><c>access_log_start</c>.</param>
    /// <param name="Starts">There is a line at connect, by that key or by the log level.</param>
    /// <param name="Living"><c>access_log_every</c> is set.</param>
    private sealed record Choice(AccessLogMode Mode, bool StartsByKey, bool Starts, bool Living)
    {
        public bool All => Mode == AccessLogMode.All;

        /// <summary>Lines of more than one kind are written, and say of which they are.</summary>
        public bool HasKinds => Starts || Living;

        public static Choice Of(BalancerSettings settings)
        {
            bool isOn = settings.AccessLog != AccessLogMode.Off;
            return new Choice(
                settings.AccessLog,
                isOn && settings.AccessLogStart,
                isOn && (settings.AccessLogStart || settings.LogLevel <= Core.Config.LogLevel.Debug),
                isOn && settings.AccessLogEvery > TimeSpan.Zero);
        }

        public bool Includes(CloseReason reason) => All || (Mode == AccessLogMode.Failures && !reason.IsOrdinary());

        public bool Has(LineKind kind, CloseReason reason) => kind switch
        {
            LineKind.Start => Starts,
            LineKind.Alive => Living,
            _ => Includes(reason),
        };
    }
}
