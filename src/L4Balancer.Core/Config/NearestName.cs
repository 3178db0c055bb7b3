namespace L4Balancer.Core.Config;

/// <summary>Finds the known name nearest to a misspelt one, by edit distance (Damerau–Levenshtein, adjacent transpositions).</summary>
public static class NearestName
{
    /// <summary>Names are short; characters beyond this length do not affect which known name is nearest.</summary>
    private const int Compared = 80;

    /// <summary>The candidate that the name is probably a misspelling of, or whose words it has in another order; null if none is near.</summary>
    public static string? Meant(string name, IEnumerable<string> candidates)
    {
        ArgumentNullException.ThrowIfNull(name);
        string[] all = [.. candidates];
        return Of(name, all, out int distance) is string nearest && IsSlip(name, distance) ? nearest
            : all.FirstOrDefault(c => HasSameWords(name, c) || IsShortFor(name, c));
    }

    /// <summary>The candidate with the smallest distance, the first of equals; null if there are no candidates.</summary>
    public static string? Of(string name, IEnumerable<string> candidates, out int distance)
    {
        ArgumentNullException.ThrowIfNull(candidates);
        string? nearest = null;
        distance = int.MaxValue;
        foreach (string candidate in candidates)
        {
            int d = Distance(name, candidate);
            if (d < distance)
            {
                (nearest, distance) = (candidate, d);
            }
        }

        return nearest;
    }

    /// <summary>Whether the number of edits suggests a typing error rather than a different word.</summary>
    public static bool IsSlip(string name, int distance)
    {
        ArgumentNullException.ThrowIfNull(name);
        return distance <= Math.Max(1, name.Length / 3);
    }

    // As "cnt" for "count".
    private static bool IsShortFor(string name, string candidate)
    {
        int at = 0;
        foreach (char c in candidate)
        {
            at += at < name.Length && name[at] == c ? 1 : 0;
        }

        return name.Length >= 3 && at == name.Length && name[0] == candidate[0] && candidate.Length <= 2 * name.Length;
    }

    // As "timeout_connect" for "connect_timeout".
    private static bool HasSameWords(string name, string candidate) =>
        name.Length == candidate.Length && name.Length <= Compared && name.Contains('_', StringComparison.Ordinal)
        && name.Split('_').Order(StringComparer.Ordinal).SequenceEqual(candidate.Split('_').Order(StringComparer.Ordinal));

    /// <summary>Number of insertions, deletions, replacements and swaps of adjacent characters that turn one name into the other.</summary>
    public static int Distance(ReadOnlySpan<char> from, ReadOnlySpan<char> to)
    {
        from = from[..Math.Min(from.Length, Compared)];
        to = to[..Math.Min(to.Length, Compared)];
        Span<int> beforeLast = stackalloc int[Compared + 1];
        Span<int> last = stackalloc int[Compared + 1];
        Span<int> current = stackalloc int[Compared + 1];
        for (int j = 0; j <= to.Length; j++)
        {
            last[j] = j;
        }

        for (int i = 1; i <= from.Length; i++)
        {
            current[0] = i;
            for (int j = 1; j <= to.Length; j++)
            {
                int replaced = last[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
                int best = Math.Min(replaced, Math.Min(last[j], current[j - 1]) + 1);
                bool swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
                current[j] = swapped ? Math.Min(best, beforeLast[j - 2] + 1) : best;
            }

            Span<int> free = beforeLast;
            beforeLast = last;
            last = current;
            current = free;
        }

        return last[to.Length];
    }
}
