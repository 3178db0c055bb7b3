using L4Balancer.Bench.Machine;

namespace L4Balancer.Bench.Load;

/// <summary>Memory of one contestant with no connection, and with <see cref="IdleCrowd.Connections"/>.</summary>
internal sealed record IdleResult(string Contestant, ProcessMemory Before, ProcessMemory With, string? Fault)
{
    /// <summary>Bytes per connection that are not the page cache of files.</summary>
    public double UserPerConnection => (With.User - Before.User) / (double)IdleCrowd.Connections;

    /// <summary>Bytes per connection of the whole resident size.</summary>
    public double ResidentPerConnection => (With.Resident - Before.Resident) / (double)IdleCrowd.Connections;
}
