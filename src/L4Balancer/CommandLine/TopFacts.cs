using L4Balancer.Admin.Answers;

namespace L4Balancer.CommandLine;

/// <summary>What the daemon has answered last. Connections and events are asked for only while their view is open.</summary>
internal sealed record TopFacts(TopSample Sample)
{
    public IReadOnlyList<ConnectionAnswer> Connections { get; init; } = [];

    /// <summary>Open connections, of which the largest <see cref="Connections"/> are known.</summary>
    public int AllConnections { get; init; }

    public IReadOnlyList<EventAnswer> Events { get; init; } = [];
}
