namespace L4Balancer.Admin.Answers;

/// <summary>GET /v1/ages: how old the established connections are.</summary>
/// <param name="At">When they were counted.</param>
/// <param name="BoundsSeconds">Upper bounds, rising.</param>
/// <param name="Counts">One more than there are bounds: the last has those that are older than all of them.</param>
internal sealed record AgesAnswer(DateTime At, IReadOnlyList<double> BoundsSeconds, IReadOnlyList<long> Counts);
