using System.Collections.Concurrent;
using System.Threading.Channels;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;

namespace L4Balancer.Engine.Tests.Peers;

/// <summary>Keeps every record that the engine under test sends out.</summary>
/// <param name="onEstablished">Called in the engine's thread; may throw, to see what the engine makes of it.</param>
internal sealed class RecordedConnections(Action<ConnectionRecord>? onEstablished = null) : IRecordSink
{
    private Channel<ConnectionRecord> _ends = Channel.CreateUnbounded<ConnectionRecord>();
    private ConcurrentDictionary<Endpoint, ulong> _established = new();
    private ConcurrentDictionary<ulong, bool> _ended = new();
    private int _establishedCount;
    private int _endedCount;
    private int _endedTwice;
    private int _misplaced;

    public int EstablishedCount => Volatile.Read(ref _establishedCount);

    public int EndedCount => Volatile.Read(ref _endedCount);

    /// <summary>Connections whose end was reported more than once.</summary>
    public int EndedTwice => Volatile.Read(ref _endedTwice);

    /// <summary>Connections reported as living, as they were then.</summary>
    public ConcurrentQueue<ConnectionRecord> Living { get; } = new();

    /// <summary>Connections reported as living before their start or after their end.</summary>
    public int LivingMisplaced => Volatile.Read(ref _misplaced);

    public bool IsEstablished(Endpoint client) => _established.ContainsKey(client);

    /// <summary>The next connection that ends, in the order of their ends.</summary>
    public Task<ConnectionRecord> NextEndAsync() => _ends.Reader.ReadAsync().AsTask().Soon();

    /// <summary>Gives back the memory of the records so far; the counts stay.</summary>
    public void Forget()
    {
        _ends = Channel.CreateUnbounded<ConnectionRecord>();
        _established = new ConcurrentDictionary<Endpoint, ulong>();
        _ended = new ConcurrentDictionary<ulong, bool>();
    }

    public void Established(in ConnectionRecord record)
    {
        _established[record.Tuple.Source] = record.Id;
        Interlocked.Increment(ref _establishedCount);
        onEstablished?.Invoke(record);
    }

    public void Alive(in ConnectionRecord record)
    {
        if (!_established.ContainsKey(record.Tuple.Source) || _ended.ContainsKey(record.Id))
        {
            Interlocked.Increment(ref _misplaced);
        }

        Living.Enqueue(record);
    }

    public void Ended(in ConnectionRecord record)
    {
        if (!_ended.TryAdd(record.Id, true))
        {
            Interlocked.Increment(ref _endedTwice);
        }

        _ends.Writer.TryWrite(record);
        Interlocked.Increment(ref _endedCount);
    }
}
