using System.Text;
using L4Balancer.Core.Config;
using Microsoft.Extensions.Logging;
using Level = Microsoft.Extensions.Logging.LogLevel;

namespace L4Balancer.Logging;

/// <summary>
/// A bounded queue of lines that a separate thread writes to a stream, so that a terminal or a pipe that is not read blocks no other
/// thread. Lines that do not fit are dropped, and lines that cannot be written (full disk) are lost; both are counted, and the count is
/// logged once there is room. Any thread may write.
/// </summary>
internal sealed class LogOutput : IDisposable
{
    private const int Capacity = 4096;

    /// <summary>How long disposal waits for a blocked reader.</summary>
    private static readonly TimeSpan LastFlush = TimeSpan.FromSeconds(1);

    private readonly Stream _stream;
    private readonly TimeProvider _clock;
    private readonly Queue<string> _lines = new(256);
    private readonly Thread _writer;
    private long _dropped;
    private bool _closed;

    /// <summary>Used only by the writer thread.</summary>
    private long _lost;
    private string _fault = "";

    public LogOutput(Stream stream, LogFormat format, TimeProvider clock)
    {
        _stream = stream;
        _clock = clock;
        Format = format;
        _writer = new Thread(WriteAll) { IsBackground = true, Name = "log" };
        _writer.Start();
    }

    public LogFormat Format { get; }

    /// <summary>The latest lines, without those of the access log.</summary>
    public RecentLines Recent { get; } = new();

    /// <summary>
    /// Whether a line would be dropped now; if so, counts it as dropped. Check this before building a line that is expensive.
    /// </summary>
    public bool DropsNow()
    {
        lock (_lines)
        {
            bool drops = _closed || _lines.Count == Capacity;
            _dropped += drops ? 1 : 0;
            return drops;
        }
    }

    /// <param name="line">Without its line end.</param>
    public void Write(string line)
    {
        lock (_lines)
        {
            if (_closed || _lines.Count == Capacity)
            {
                _dropped++;
                return;
            }

            _lines.Enqueue(line);
            Monitor.Pulse(_lines);
        }
    }

    public void Dispose()
    {
        lock (_lines)
        {
            _closed = true;
            Monitor.Pulse(_lines);
        }

        _writer.Join(LastFlush);
    }

    private void WriteAll()
    {
        var batch = new StringBuilder();
        while (DequeueBatch(batch, out int lines))
        {
            try
            {
                _stream.Write(Encoding.UTF8.GetBytes(batch.ToString()));
                _stream.Flush();
                _lost = 0;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ObjectDisposedException)
            {
                // The disk is full or the reader is gone: this cannot be reported now, and must not end the daemon.
                _lost += lines;
                _fault = e.Message;
            }

            batch.Clear();
        }
    }

    private bool DequeueBatch(StringBuilder batch, out int lines)
    {
        lines = 0;
        lock (_lines)
        {
            while (_lines.Count == 0 && _dropped == 0 && !_closed)
            {
                Monitor.Wait(_lines);
            }

            if (_lines.Count == 0 && (_dropped == 0 || _closed))
            {
                return false;
            }

            if (_lost > 0)
            {
                AppendNotice(batch, $"{_lost} log lines were lost here: the output failed ({_fault})");
            }

            while (_lines.TryDequeue(out string? line))
            {
                batch.Append(line).Append('\n');
                lines++;
            }

            if (_dropped > 0)
            {
                AppendNotice(batch, $"{_dropped} log lines were dropped here: they were logged faster than the output was read");
                lines += (int)Math.Min(_dropped, int.MaxValue - lines);
                _dropped = 0;
            }

            return true;
        }
    }

    private void AppendNotice(StringBuilder batch, string message) => batch
        .Append(LogLine.Format(Format, _clock.GetUtcNow(), Level.Warning, nameof(LogOutput), new EventId(1000), message, null))
        .Append('\n');
}
