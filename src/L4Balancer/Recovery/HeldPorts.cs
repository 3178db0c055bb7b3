using L4Balancer.Core.Config;
using L4Balancer.Engine;
using L4Balancer.Engine.Keeper;

namespace L4Balancer.Recovery;

/// <summary>Says of an address that cannot be bound whether the keeper of a crashed daemon has it.</summary>
internal static class HeldPorts
{
    /// <returns>The end of a line of the log; empty if no keeper has it.</returns>
    public static string Explain(ListenFailure failure)
    {
        if (failure.Listener.Length == 0 || !OperatingSystem.IsLinux() || HeldPort.Find(failure.Endpoint) is not { } held)
        {
            return "";
        }

        string time = held.Timeout > TimeSpan.Zero ? $"at most {Duration.Format(held.Timeout)}" : "its keeper_timeout";
        return $". The keeper (process {held.Keeper}) of a daemon that has ended (process {held.Daemon}) has it, for {time} from that end: start that "
            + $"daemon again, the one whose [admin] socket lies beside {held.Folder}, or wait";
    }
}
