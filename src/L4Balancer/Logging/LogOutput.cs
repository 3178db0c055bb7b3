using L4Balancer.Core.Config;
using Microsoft.Extensions.Logging;
using Level = Microsoft.Extensions.Logging.LogLevel;

namespace L4Balancer.Logging;

/// <summary>
/// A bounded queue of lines that a separate thread writes to a stream, so that a terminal or a pipe that is not read blocks no other
/// thread. All lines that wait are written by one call. Lines that do not fit are dropped, and lines that cannot be written (full disk) are
/// lost; both are counted, and the count is logged once there is room. Any thread may write.
/// </summary>
internal sealed class LogOutput : IDisposable
{
    private const int Capacity = 4096;

    /// <summary>A thousand bytes for each line; checked before a line is added.</summary>
    private const int MostBytes = Capacity * 1024;

    /// <summary>Buffers that have grown beyond this are released once they are written.</summary>
    private const int KeptBytes = 256 * 1024;

    private const int FirstBytes = 4096;

    /// <summary>How long disposal waits for a blocked reader.</summary>
    private static readonly TimeSpan LastFlush = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan PauseAfterFault = TimeSpan.FromMilliseconds(100);

    private readonly Stream _stream;
    private readonly TimeProvider _clock;
    private readonly object _gate = new();
    private readonly Thread _writer;

    /// <summary>The lines that wait, and those that are being written; the two are exchanged. The second is only used by the writer thread.</summary>
    private LineBuffer _waiting = new(FirstBytes);
    private LineBuffer _batch = new(FirstBytes);
    private int _lines;
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

    private bool IsFull => _closed || _lines == Capacity || _waiting.Length >= MostBytes;

    /// <summary>
    /// Whether a line would be dropped now; if so, counts it as dropped. Check this before building a line that is expensive.
    /// </summary>
    public bool DropsNow()
    {
        lock (_gate)
        {
            bool drops = IsFull;
            _dropped += drops ? 1 : 0;
            return drops;
        }
    }

    /// <param name="line">Without its line end.</param>
    public void Write(string line)
    {
        lock (_gate)
        {
            if (IsFull)
            {
                _dropped++;
                return;
            }

            _waiting.Append(line);
            _waiting.Append((byte)'\n');
            _lines++;
            Monitor.Pulse(_gate);
        }
    }

    /// <summary>Writes several lines at once; where they do not all fit, the last ones are dropped.</summary>
    /// <param name="lines">Whole lines in UTF-8, with their line ends.</param>
    /// <param name="count">How many lines these are.</param>
    public void Write(ReadOnlySpan<byte> lines, int count)
    {
        lock (_gate)
        {
            for (; !IsFull && _lines + count > Capacity; count--)
            {
                lines = lines[..(lines[..^1].LastIndexOf((byte)'\n') + 1)];
                _dropped++;
            }

            if (IsFull)
            {
                _dropped += count;
                return;
            }

            _waiting.Append(lines);
            _lines += count;
            Monitor.Pulse(_gate);
        }
    }

    /// <summary>A line could not be made. It is counted, and reported with the next one.</summary>
    public void NoteLost()
    {
        lock (_gate)
        {
            _dropped++;
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _closed = true;
            Monitor.Pulse(_gate);
        }

        _writer.Join(LastFlush);
    }

    private void WriteAll()
    {
        for (bool goesOn = true; goesOn;)
        {
            int lines = 0;
            try
            {
                goesOn = TakeBatch(out lines);
                if (goesOn)
                {
                    _stream.Write(_batch.Written);
                    _stream.Flush();
                    _lost = 0;
                    _batch.ClearAndTrim(KeptBytes);
                }
            }
            catch (Exception e)
            {
                // The disk is full, the reader is gone, memory is short: this cannot be reported now, and must not end the daemon.
                _lost += lines;
                _fault = e.Message;
                _batch.Clear();
                Thread.Sleep(lines == 0 ? PauseAfterFault : TimeSpan.Zero);
            }
        }
    }

    private bool TakeBatch(out int lines)
    {
        lines = 0;
        if (_lost > 0)
        {
            // Written with the first line that comes.
            AppendNotice(_batch, $"{_lost} log lines were lost here: the output failed ({_fault})");
        }

        lock (_gate)
        {
            while (_lines == 0 && _dropped == 0 && !_closed)
            {
                Monitor.Wait(_gate);
            }

            if (_lines == 0 && (_dropped == 0 || _closed))
            {
                return false;
            }

            if (_batch.Length == 0)
            {
                (_waiting, _batch) = (_batch, _waiting);
            }
            else
            {
                _batch.Append(_waiting.Written);
                _waiting.ClearAndTrim(KeptBytes);
            }

            (lines, _lines) = (_lines, 0);
            if (_dropped > 0)
            {
                AppendNotice(_batch, $"{_dropped} log lines were dropped here: they were logged faster than the output was read, or memory was short");
                lines += (int)Math.Min(_dropped, int.MaxValue - lines);
                _dropped = 0;
            }

            return true;
        }
    }

    private void AppendNotice(LineBuffer batch, string message)
    {
        batch.Append(LogLine.Format(Format, _clock.GetUtcNow(), Level.Warning, nameof(LogOutput), new EventId(1000), message, null));
        batch.Append((byte)'\n');
    }
}
