using System.Runtime.Versioning;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;
using L4Balancer.Engine;
using L4Balancer.Engine.Keeper;

namespace L4Balancer.Recovery;

/// <summary>Adopts or resets the connections of one predecessor, batch by batch. One thread at a time.</summary>
[SupportedOSPlatform("linux")]
internal sealed class ConnectionTaking(
    IEngine engine, Func<RoutingSnapshot> snapshot, Survivors survivors, IRecordSink records, TimeProvider clock)
{
    /// <summary>In a batch while there is place for connections.</summary>
    private const int Usual = 42;

    /// <summary>In a batch without: their descriptors come from the reserve.</summary>
    private const int WithoutPlace = 4;

    public int Adopted { get; private set; }

    public int Reset { get; private set; }

    /// <summary>None is adopted.</summary>
    public bool ResetsAll { get; init; }

    private int Places => Math.Max(0, snapshot().MaxConnections - engine.Count);

    /// <summary>How many connections the next batch may have.</summary>
    public int MostAtOnce() => !ResetsAll && Places >= Usual ? Usual : WithoutPlace;

    public async Task TakeAsync(IReadOnlyList<LeftConnection> batch)
    {
        Instant now = Instant.Now(clock);
        int places = ResetsAll ? 0 : Places;
        List<ExportedConnection> adopted = [];
        foreach (LeftConnection left in batch)
        {
            CarriedRecord? carried = left.Record(now);
            if (left.IsClean && carried is not null && adopted.Count < places)
            {
                (ConnectionRecord record, ConnectionEnd end) = carried.Revive(snapshot(), survivors);
                adopted.Add(new ExportedConnection
                {
                    Record = record,
                    Client = left.Client,
                    Backend = left.Backend,
                    ClientIsUnix = left.ClientIsUnix,
                    LacksOptions = true,
                    PipeToBackend = left.PipeToBackend,
                    PipeToClient = left.PipeToClient,
                    LastActivity = carried.LastActivity,
                    End = end,
                });
            }
            else
            {
                left.Reset();
                Reset++;
                Report(carried, left.IsClean && !ResetsAll ? CloseReason.Limit : CloseReason.Internal, now);
            }
        }

        if (adopted.Count > 0)
        {
            IReadOnlyList<AdoptFailure> failures = await engine.AdoptAsync(adopted);
            Adopted += adopted.Count - failures.Count;
            Reset += failures.Count;
        }
    }

    // The line in the access log that the process before could not write any more.
    private void Report(CarriedRecord? carried, CloseReason reason, Instant now)
    {
        if (carried is null)
        {
            return;
        }

        (ConnectionRecord record, _) = carried.Revive(snapshot(), survivors);
        BalancerState state = snapshot().State;
        record.Join(state);
        record.Limit = reason == CloseReason.Limit ? LimitKind.Host : record.Limit;
        record.Close(state, reason, wasFirst: false, now);
        records.Ended(record);
    }
}
