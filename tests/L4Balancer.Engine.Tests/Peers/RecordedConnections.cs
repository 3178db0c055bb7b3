using System.Collections.Concurrent;
using System.Threading.Channels;
using L4Balancer.Core.Connections;

namespace L4Balancer.Engine.Tests.Peers;

/// <summary>Keeps every record that the engine under test sends out.</summary>
/// <param name="onEstablished">Called in the engine's thread; may throw, to see what the engine makes of it.</param>
internal sealed class RecordedConnections(Action<ConnectionRecord>? onEstablished = null) : IRecordSink
{
    private readonly Channel<ConnectionRecord> _ended = Channel.CreateUnbounded<ConnectionRecord>();
    private readonly ConcurrentDictionary<ulong, int> _ends = new();
    private int _established;

    public int EstablishedCount => Volatile.Read(ref _established);

    public int EndedCount => _ends.Count;

    /// <summary>Whether no connection has ended twice.</summary>
    public bool EndedOnceEach => _ends.Values.All(times => times == 1);

    /// <summary>The next connection that ends, in the order of their ends.</summary>
    public Task<ConnectionRecord> NextEndAsync() => _ended.Reader.ReadAsync().AsTask().Soon();

    public void Established(in ConnectionRecord record)
    {
        Interlocked.Increment(ref _established);
        onEstablished?.Invoke(record);
    }

    public void Ended(in ConnectionRecord record)
    {
        _ends.AddOrUpdate(record.Id, 1, static (_, times) => times + 1);
        _ended.Writer.TryWrite(record);
    }
}
