using L4Balancer.Core.Connections;

namespace L4Balancer.AccessLog;

/// <summary>A record as it was when this happened to its connection.</summary>
internal struct RecordEntry
{
    public ConnectionRecord Record;
    public LineKind Kind;
}

/// <summary>
/// A bounded queue of records from the threads that relay bytes to the one that writes them. Adding copies the record under a lock and, as
/// long as the reader is at work, wakes nothing: the reader gathers for a while and takes all that has come. Any thread adds, one takes.
/// </summary>
internal sealed class RecordQueue(int capacity)
{
    private const int FirstLength = 64;

    private readonly object _gate = new();
    private RecordEntry[] _entries = new RecordEntry[FirstLength];
    private RecordEntry[] _taken = new RecordEntry[FirstLength];
    private int _count;
    private int _takenCount;
    private bool _isAsleep;
    private bool _isClosed;

    /// <returns>False if the queue is full or closed.</returns>
    public bool TryAdd(in ConnectionRecord record, LineKind kind)
    {
        lock (_gate)
        {
            if (_count == capacity || _isClosed)
            {
                return false;
            }

            if (_count == _entries.Length)
            {
                Array.Resize(ref _entries, Math.Min(capacity, 2 * _count));
            }

            ref RecordEntry entry = ref _entries[_count++];
            entry.Record = record;
            entry.Kind = kind;

            // Half full: the reader comes at once.
            if (_isAsleep || _count == capacity / 2)
            {
                _isAsleep = false;
                Monitor.Pulse(_gate);
            }

            return true;
        }
    }

    /// <summary>Waits for a record, then for a while for more of them, and takes all.</summary>
    /// <param name="patience">The longest wait for the first record.</param>
    /// <param name="gathering">The wait for more; ends early if the queue is half full.</param>
    /// <param name="isOver">The queue is closed, and these are the last records.</param>
    /// <returns>The records; valid until the next call. Empty if none has come.</returns>
    public ReadOnlySpan<RecordEntry> Take(TimeSpan patience, TimeSpan gathering, out bool isOver)
    {
        Array.Clear(_taken, 0, _takenCount);
        lock (_gate)
        {
            if (_count == 0 && !_isClosed)
            {
                _isAsleep = true;
                Monitor.Wait(_gate, patience);
                _isAsleep = false;
            }

            if (_count > 0 && _count < capacity / 2 && !_isClosed)
            {
                Monitor.Wait(_gate, gathering);
            }

            isOver = _isClosed;
            (_entries, _taken) = (_taken, _entries);
            (_takenCount, _count) = (_count, 0);
            return _taken.AsSpan(0, _takenCount);
        }
    }

    /// <summary>Rejects further records.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _isClosed = true;
            Monitor.Pulse(_gate);
        }
    }
}
