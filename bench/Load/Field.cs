using L4Balancer.Bench.Contestants;
using L4Balancer.Bench.Machine;
using L4Balancer.Bench.Peers;

namespace L4Balancer.Bench.Load;

/// <summary>The balancers of a comparison, all alive at once, and the backends behind them.</summary>
internal sealed class Field : IDisposable
{
    /// <summary>Below the range that connections take their ports from.</summary>
    private const ushort PeerBase = 7000;
    private const ushort FirstListenBase = 7100;
    private const ushort PortsEach = 10;

    private readonly List<Contestant> _contestants = [];

    private Field(PeerProcess peers) => Peers = peers;

    public PeerProcess Peers { get; }

    public IReadOnlyList<Contestant> Contestants => _contestants;

    public static Field Start(IEnumerable<ContestantKind> kinds, Processors processors, Duty duty = Duty.Relay)
    {
        var field = new Field(PeerProcess.Start(PeerBase, processors));
        try
        {
            ushort port = FirstListenBase;
            foreach (ContestantKind kind in kinds)
            {
                field._contestants.Add(Contestant.Start(kind, new Wiring(port, PeerBase, duty), processors));
                port += PortsEach;
            }
        }
        catch (InvalidOperationException)
        {
            field.Dispose();
            throw;
        }

        return field;
    }

    public Target Towards(Contestant contestant) => new(contestant.At, () => contestant.ProcessorNanoseconds, Peers, contestant.Duty);

    public void Dispose()
    {
        _contestants.ForEach(c => c.Dispose());
        Peers.Dispose();
    }
}
