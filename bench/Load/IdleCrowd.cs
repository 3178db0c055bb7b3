using L4Balancer.Bench.Contestants;
using L4Balancer.Bench.Machine;
using L4Balancer.Bench.Peers;

namespace L4Balancer.Bench.Load;

/// <summary>What connections cost that say nothing: a fresh process, its memory before the first of them and with all of them.</summary>
internal static class IdleCrowd
{
    public const int Connections = 8000;

    public static IdleResult Measure(ContestantKind kind, Processors processors)
    {
        using Field field = Field.Start([kind], processors);
        Contestant contestant = field.Contestants[0];
        ProcessMemory before = contestant.Memory;
        using Crowd? crowd = Crowd.Open(contestant.At(PeerRole.Echo), Connections, out string? fault);
        if (crowd is not null)
        {
            PeerCounters counters = field.Peers.Await(c => c.Open == Connections);
            fault = counters.Open == Connections ? null : $"{counters.Open} of {Connections} connections reached the backends";
        }

        return new IdleResult(kind.Name, before, contestant.Memory, fault);
    }
}
