namespace L4Balancer.Bench.Survive;

/// <summary>What can be chosen on the command line of <c>survive</c>.</summary>
/// <param name="Connections">Of all three thirds together.</param>
/// <param name="Upgrades">Upgrades in a row; 0: none.</param>
/// <param name="Kills">kill -9 of the daemon, each followed by a restart, after the upgrades; 0: none.</param>
/// <param name="Calm">How long the same load runs without events before the first: what the latencies are compared with.</param>
/// <param name="Every">From the end of an event to the next one.</param>
/// <param name="Rate">Connections a second that come beside the thirds.</param>
/// <param name="Busy">The machine is at most this busy before the first event: the load is made slower until it is.</param>
/// <param name="Standstill">The longest p99.9 of messages during upgrades, in ms; 0: it is not judged.</param>
/// <param name="Workers">Event loops of the daemon; 0: its default.</param>
/// <param name="Daemon">The executable; null: the one that <c>make publish</c> leaves.</param>
/// <param name="Keeper">False: the daemon runs with <c>keeper = false</c>.</param>
internal sealed record SurviveOptions(
    int Connections,
    int Upgrades,
    int Kills,
    TimeSpan Calm,
    TimeSpan Every,
    int Rate,
    double Busy,
    double Standstill,
    int Workers,
    string? Daemon,
    bool Keeper)
{
    public int OfThird => Connections / 3;

    /// <summary>Event loops that the daemon has.</summary>
    public int WorkersInForce => Workers > 0 ? Workers : Environment.ProcessorCount;
}
