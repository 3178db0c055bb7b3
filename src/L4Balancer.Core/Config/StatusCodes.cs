using System.Collections.Immutable;
using System.Globalization;

namespace L4Balancer.Core.Config;

/// <summary>A set of HTTP status codes, written as comma-separated codes and ranges: <c>200-299, 404</c>.</summary>
public sealed class StatusCodes : IEquatable<StatusCodes>
{
    private const int Lowest = 100;
    private const int Highest = 599;
    private const int MostParts = 100;

    private readonly ImmutableArray<(int From, int To)> _ranges;

    private StatusCodes(string text, ImmutableArray<(int, int)> ranges) => (Text, _ranges) = (text, ranges);

    public static StatusCodes Default { get; } = new("200-399", [(200, 399)]);

    /// <summary>The set as written.</summary>
    public string Text { get; }

    /// <summary>Returns false if a part is neither a code from 100 to 599 nor an ascending range of such codes.</summary>
    public static bool TryParse(string text, out StatusCodes codes)
    {
        codes = Default;
        string[] parts = text.Split(',');
        if (parts.Length > MostParts)
        {
            return false;
        }

        ImmutableArray<(int, int)>.Builder ranges = ImmutableArray.CreateBuilder<(int, int)>(parts.Length);
        foreach (string part in parts)
        {
            string[] ends = part.Trim(' ').Split('-');
            if (ends.Length > 2 || !TryCode(ends[0], out int from) || !TryCode(ends[^1], out int to) || from > to)
            {
                return false;
            }

            ranges.Add((from, to));
        }

        codes = new StatusCodes(text, ranges.ToImmutable());
        return true;
    }

    public bool Contains(int code)
    {
        foreach ((int from, int to) in _ranges)
        {
            if (code >= from && code <= to)
            {
                return true;
            }
        }

        return false;
    }

    public bool Equals(StatusCodes? other) => other is not null && other.Text == Text;

    public override bool Equals(object? obj) => Equals(obj as StatusCodes);

    public override int GetHashCode() => Text.GetHashCode(StringComparison.Ordinal);

    public override string ToString() => Text;

    private static bool TryCode(string text, out int code) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out code) && code is >= Lowest and <= Highest;
}
