namespace L4Balancer.Admin.Answers;

/// <summary>POST /v1/pools/{pool}/rebalance: what it sets out to do. How far it has come is in the backends' <c>shedding</c>.</summary>
/// <param name="Connections">What the fair shares are of.</param>
/// <param name="Surplus">How many the over-full backends have beyond their shares and the tolerance; 0: nothing is closed.</param>
/// <param name="Deficit">How many the others lack.</param>
internal sealed record RebalanceAnswer(string Pool, int Connections, int Surplus, int Deficit);

/// <summary>What of a backend's connections is being closed at a pace.</summary>
/// <param name="Reason"><c>drain</c>, <c>rebalance</c> or <c>backend_down</c>.</param>
/// <param name="Planned">How many there were to close when it began.</param>
internal sealed record SheddingAnswer(string Reason, int Planned, long Closed);
