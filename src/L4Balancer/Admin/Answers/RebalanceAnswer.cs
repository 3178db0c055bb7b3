namespace L4Balancer.Admin.Answers;

/// <summary>POST /v1/pools/{pool}/rebalance: the plan. The backends' <c>shedding</c> shows the progress.</summary>
/// <param name="Connections">Number of connections on which the fair shares are based.</param>
/// <param name="Surplus">Number of connections of overfull backends above their shares and the tolerance; if 0, nothing is closed.</param>
/// <param name="Deficit">Number of connections that the other backends lack.</param>
internal sealed record RebalanceAnswer(string Pool, int Connections, int Surplus, int Deficit);

/// <summary>DELETE /v1/pools/{pool}/rebalance.</summary>
/// <param name="WasRunning">False if no rebalance of the pool was running: nothing has changed.</param>
/// <param name="Closed">Number of connections that it has closed.</param>
internal sealed record RebalanceEndAnswer(string Pool, bool WasRunning, long Closed);

/// <summary>A rebalance that runs.</summary>
/// <param name="Planned">Number of connections to close by what is planned now, those that are closed already included.</param>
/// <param name="Closed">Number of connections closed so far. While it equals the plan, the clients are given time to return.</param>
internal sealed record RebalancingAnswer(int Planned, long Closed);

/// <summary>A paced close of a backend's connections.</summary>
/// <param name="Reason"><c>drain</c>, <c>rebalance</c>, <c>backend_down</c> or <c>backend_removed</c>.</param>
/// <param name="Planned">Number of connections to close by what is planned now, those that are closed already included.</param>
internal sealed record SheddingAnswer(string Reason, int Planned, long Closed);
