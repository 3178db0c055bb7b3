using System.Diagnostics;

namespace L4Balancer.Bench.Machine;

/// <summary>Which processor runs what: balancers on one, which they share in turn, the peers on others.</summary>
internal sealed record Processors(int Balancer, int Server, int Client)
{
    public static Processors Choose()
    {
        using var self = Process.GetCurrentProcess();
        long mask = (long)self.ProcessorAffinity;
        int[] allowed = [.. Enumerable.Range(0, 63).Where(cpu => (mask >> cpu & 1) != 0)];
        return allowed.Length switch
        {
            1 => new Processors(allowed[0], allowed[0], allowed[0]),
            2 => new Processors(allowed[0], allowed[1], allowed[1]),
            _ => new Processors(allowed[0], allowed[1], allowed[2]),
        };
    }

    /// <summary>Keeps this process, which is the client, on its processor.</summary>
    public void PinClient()
    {
        using var self = Process.GetCurrentProcess();
        self.ProcessorAffinity = (nint)(1L << Client);
    }
}
