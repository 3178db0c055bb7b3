namespace L4Balancer.Bench.Load;

/// <summary>A row of the report: one workload, and what each contestant gave in each round.</summary>
internal sealed class Row(string name, Workload workload)
{
    private readonly Dictionary<string, List<BurstResult>> _series = [];

    public string Name { get; } = name;

    public Workload Workload { get; } = workload;

    public IEnumerable<string> Contestants => _series.Keys;

    /// <summary>The results of one contestant, one a round; empty where it does not take part.</summary>
    public IReadOnlyList<BurstResult> this[string contestant] => _series.TryGetValue(contestant, out List<BurstResult>? all) ? all : [];

    public void Enter(string contestant) => _series.TryAdd(contestant, []);

    public void Add(string contestant, BurstResult result) => _series[contestant].Add(result);

    /// <summary>What voids a contestant's results in this row; null where they count.</summary>
    public string? FaultOf(string contestant) => this[contestant].FirstOrDefault(r => r.Fault is not null)?.Fault;

    /// <summary>Whether there are results of this contestant, all of them good.</summary>
    public bool Counts(string contestant) => this[contestant].Count > 0 && FaultOf(contestant) is null;
}
