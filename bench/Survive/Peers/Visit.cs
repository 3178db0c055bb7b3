using System.Globalization;

namespace L4Balancer.Bench.Survive.Peers;

/// <summary>What became of a connection that asks once and closes.</summary>
internal enum Outcome
{
    Served,

    /// <summary>connect(2) returned ECONNREFUSED.</summary>
    Refused,

    /// <summary>A reset before the answer was complete.</summary>
    Reset,

    /// <summary>FIN before the answer was complete.</summary>
    Closed,

    /// <summary>No answer within the patience of a client.</summary>
    TimedOut,

    /// <summary>An answer with a wrong byte.</summary>
    Wrong,
}

/// <summary>One such connection, its instants in nanoseconds of CLOCK_MONOTONIC.</summary>
/// <param name="Client">Its own address as the access log writes it; empty if it was never connected.</param>
internal readonly record struct Visit(long Begun, long Ended, Outcome Outcome, string Client)
{
    public static void WriteAll(string path, IEnumerable<Visit> visits) => File.WriteAllLines(
        path,
        visits.Select(static v => string.Create(CultureInfo.InvariantCulture, $"{v.Begun} {v.Ended} {v.Outcome} {v.Client}")));

    public static Visit[] ReadAll(string path) => [.. File.ReadLines(path).Select(Parse)];

    private static Visit Parse(string line)
    {
        string[] words = line.Split(' ');
        return new Visit(
            long.Parse(words[0], CultureInfo.InvariantCulture),
            long.Parse(words[1], CultureInfo.InvariantCulture),
            Enum.Parse<Outcome>(words[2]),
            words[3]);
    }
}

/// <summary>How many of these connections there were, by what became of them.</summary>
internal readonly record struct VisitCounts(int Served, int Refused, int Reset, int Closed, int TimedOut, int Wrong)
{
    public int NotServed => Refused + Reset + Closed + TimedOut + Wrong;

    /// <param name="line">The numbers in the order of <see cref="Outcome"/>.</param>
    public static VisitCounts Parse(string line)
    {
        int[] n = [.. line.Split(' ').Select(static w => int.Parse(w, CultureInfo.InvariantCulture))];
        return new VisitCounts(n[0], n[1], n[2], n[3], n[4], n[5]);
    }

    public static VisitCounts operator -(VisitCounts a, VisitCounts b) => new(
        a.Served - b.Served, a.Refused - b.Refused, a.Reset - b.Reset, a.Closed - b.Closed, a.TimedOut - b.TimedOut, a.Wrong - b.Wrong);
}
