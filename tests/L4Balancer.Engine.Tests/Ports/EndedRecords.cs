using System.Collections.Concurrent;
using L4Balancer.Core.Connections;

namespace L4Balancer.Engine.Tests.Ports;

/// <summary>Keeps the records of connections that are over, for a body to wait for.</summary>
internal sealed class EndedRecords : IRecordSink
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly BlockingCollection<ConnectionRecord> _ended = [];

    public void Established(in ConnectionRecord record)
    {
    }

    public void Ended(in ConnectionRecord record) => _ended.Add(record);

    public ConnectionRecord Next() => _ended.TryTake(out ConnectionRecord record, Patience)
        ? record
        : throw new TimeoutException("No connection ended in time.");
}
