namespace L4Balancer.Admin.Answers;

/// <summary>GET /v1/ages: the ages of the established connections.</summary>
/// <param name="At">Time of the count.</param>
/// <param name="BoundsSeconds">Upper bounds in ascending order.</param>
/// <param name="Counts">One count more than there are bounds: the last counts connections older than all bounds.</param>
internal sealed record AgesAnswer(DateTime At, IReadOnlyList<double> BoundsSeconds, IReadOnlyList<long> Counts);
