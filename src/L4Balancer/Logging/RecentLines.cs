using Microsoft.Extensions.Logging;

namespace L4Balancer.Logging;

/// <summary>The latest lines of the log (not those of the access log), for the admin API. Bounded; any thread.</summary>
internal sealed class RecentLines
{
    public const int Capacity = 200;

    /// <summary>The bound on a line that contains text from a peer or a file.</summary>
    private const int LongestText = 500;

    private readonly RecentLine?[] _lines = new RecentLine?[Capacity];
    private long _count;

    public void Add(DateTimeOffset at, LogLevel level, string text)
    {
        string kept = text.Length <= LongestText ? text : text[..LongestText] + "…";
        lock (_lines)
        {
            _count++;
            _lines[(_count - 1) % Capacity] = new RecentLine(_count, at, level, kept);
        }
    }

    /// <summary>The lines with a higher number than this one, oldest first.</summary>
    /// <param name="number">0: all lines that are kept. A number that was not reached yet is taken for one of an earlier process: all as well.</param>
    public IReadOnlyList<RecentLine> After(long number)
    {
        lock (_lines)
        {
            long first = Math.Max(number > _count ? 0 : Math.Max(number, 0), _count - Capacity) + 1;
            List<RecentLine> lines = [];
            for (long n = first; n <= _count; n++)
            {
                lines.Add(_lines[(n - 1) % Capacity]!);
            }

            return lines;
        }
    }
}
