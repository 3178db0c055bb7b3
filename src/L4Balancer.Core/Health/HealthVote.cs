namespace L4Balancer.Core.Health;

/// <summary>
/// Decides with the views of the other balancers (<c>health = "vote"</c>). A backend is out if at least half of the balancers that probe it, this one
/// included, hold it down by their own probes. It is one function of the views, so that balancers with the same views decide the same. What
/// clients' connects have found out, and what no probe has decided on yet, is not put to the vote.
/// </summary>
public static class HealthVote
{
    /// <summary>Decides on all backends of a pool.</summary>
    /// <param name="ballots">By backend index.</param>
    /// <param name="verdicts">Receives what holds on this balancer, by the same index.</param>
    public static void Decide(ReadOnlySpan<Ballot> ballots, Span<HealthState> verdicts)
    {
        bool anyLives = false;
        for (int i = 0; i < ballots.Length; i++)
        {
            verdicts[i] = Of(ballots[i]);
            anyLives |= ballots[i].Serves && verdicts[i] == HealthState.Up;
        }

        if (anyLives)
        {
            return;
        }

        // The others must not take the last backends that answer here: then the way from here to there counts, and not theirs.
        for (int i = 0; i < ballots.Length; i++)
        {
            if (ballots[i] is { Own: HealthState.Up, Serves: true })
            {
                verdicts[i] = HealthState.Up;
            }
        }
    }

    /// <summary>Whether at least half of those that see it hold it down.</summary>
    public static bool IsDown(in Ballot ballot) => 2 * ballot.Down >= ballot.See;

    private static HealthState Of(in Ballot ballot) =>
        !ballot.IsByProbes ? ballot.Own
        : !IsDown(ballot) ? HealthState.Up
        : ballot.Own == HealthState.Up ? HealthState.Down
        : ballot.Own;
}

/// <summary>What is known of one backend.</summary>
/// <param name="Own">What this balancer has found out.</param>
/// <param name="IsByProbes">Whether its own probes have; otherwise the backend is not put to the vote here.</param>
/// <param name="Others">What the other balancers say.</param>
/// <param name="Serves">Whether connections may go there if it lives: no operator has taken it out, and it has weight.</param>
public readonly record struct Ballot(HealthState Own, bool IsByProbes, PeerViews.Count Others, bool Serves)
{
    /// <summary>How many balancers see it, this one included.</summary>
    public int See => Others.See + 1;

    /// <summary>How many of them hold it down.</summary>
    public int Down => Others.Down + (Own == HealthState.Up ? 0 : 1);
}
