using System.Globalization;
using System.Text;

namespace L4Balancer.Bench.Survive.Peers;

/// <summary>What one end knows of a connection after the scene.</summary>
internal readonly record struct TalkRow(ulong Id, long Sent, long Received, long WrongAt, Ending Ending, long EndedAt, int Skipped);

/// <summary>The connections of one process, as a file of one line each, and as one line for all.</summary>
internal static class TalkTable
{
    public static void Write(string path, IEnumerable<Talk> talks)
    {
        var text = new StringBuilder();
        foreach (Talk talk in talks)
        {
            text.AppendLine(
                CultureInfo.InvariantCulture,
                $"{talk.Preface.Id} {talk.Sent} {talk.Received} {talk.WrongAt} {talk.Ending} {talk.EndedAt} {talk.Skipped}");
        }

        File.WriteAllText(path, text.ToString());
    }

    public static Dictionary<ulong, TalkRow> Read(string path) => File.ReadLines(path).Select(Parse).ToDictionary(static r => r.Id);

    /// <summary>As <see cref="TalkCounts"/> reads it.</summary>
    public static string Summary(IReadOnlyCollection<Talk> talks) => string.Create(
        CultureInfo.InvariantCulture,
        $"{talks.Count(static t => t.Ending is Ending.None or Ending.Finished)} {Count(talks, Ending.Fin)} {Count(talks, Ending.Reset)} " +
        $"{Count(talks, Ending.Silent)} {talks.Count(static t => t.WrongAt >= 0)}");

    private static int Count(IEnumerable<Talk> talks, Ending ending) => talks.Count(t => t.Ending == ending);

    private static TalkRow Parse(string line)
    {
        string[] words = line.Split(' ');
        return new TalkRow(
            ulong.Parse(words[0], CultureInfo.InvariantCulture),
            Number(words[1]),
            Number(words[2]),
            Number(words[3]),
            Enum.Parse<Ending>(words[4]),
            Number(words[5]),
            (int)Number(words[6]));
    }

    private static long Number(string word) => long.Parse(word, CultureInfo.InvariantCulture);
}

/// <summary>How many connections of a third live, and what ended the others.</summary>
/// <param name="Silent">They were not ended, and did not answer.</param>
/// <param name="Wrong">They received a byte that was not the one sent.</param>
internal readonly record struct TalkCounts(int Living, int Fin, int Reset, int Silent, int Wrong)
{
    public int Lost => Fin + Reset + Silent;

    public static TalkCounts Parse(string line)
    {
        int[] numbers = [.. line.Split(' ').Select(static w => int.Parse(w, CultureInfo.InvariantCulture))];
        return new TalkCounts(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]);
    }

    public static TalkCounts operator -(TalkCounts a, TalkCounts b) =>
        new(a.Living - b.Living, a.Fin - b.Fin, a.Reset - b.Reset, a.Silent - b.Silent, a.Wrong - b.Wrong);
}
