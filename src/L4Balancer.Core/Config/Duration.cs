using System.Buffers;
using System.Globalization;

namespace L4Balancer.Core.Config;

/// <summary>
/// Parses and formats durations: numbers, whole or with a decimal point, each with one of the units d, h, m, s and ms, larger units first, as in
/// <c>1.5h</c> and <c>1m30s</c>.
/// </summary>
public static class Duration
{
    /// <summary>The maximum of every duration.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromDays(365);

    /// <summary>
    /// The maximum of durations that are passed on as an int of milliseconds (24.8 days): TCP_USER_TIMEOUT, poll, timers.
    /// </summary>
    public static readonly TimeSpan LongestMilliseconds = TimeSpan.FromDays(24);

    private const int MaximumDigits = 20;

    private static readonly SearchValues<char> NumberCharacters = SearchValues.Create("0123456789.");

    private static readonly (string Suffix, long Milliseconds)[] Units =
        [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

    /// <summary>
    /// Also returns false if the duration is not a whole number of milliseconds: rounded to zero, a timeout would silently be off.
    /// </summary>
    public static bool TryParse(string text, out TimeSpan duration)
    {
        ArgumentNullException.ThrowIfNull(text);
        duration = default;
        ReadOnlySpan<char> rest = text;
        decimal milliseconds = 0;
        long before = long.MaxValue;
        do
        {
            if (!TryPart(ref rest, out decimal part, out long unit) || unit >= before)
            {
                return false;
            }

            milliseconds += part;
            before = unit;
        }
        while (!rest.IsEmpty);

        if (milliseconds != decimal.Truncate(milliseconds))
        {
            return false;
        }

        // The caller reports values beyond TimeSpan as out of range.
        decimal greatest = TimeSpan.MaxValue.Ticks / TimeSpan.TicksPerMillisecond;
        duration = TimeSpan.FromMilliseconds((long)Math.Min(milliseconds, greatest));
        return true;
    }

    // At most 20 digits times 86,400,000 fits in the 28 digits of a decimal.
    private static bool TryPart(ref ReadOnlySpan<char> text, out decimal milliseconds, out long unit)
    {
        milliseconds = unit = 0;
        int digits = text.IndexOfAnyExcept(NumberCharacters);
        if (digits is <= 0 or > MaximumDigits || text[0] == '.' || text[digits - 1] == '.')
        {
            return false;
        }

        int next = text[digits..].IndexOfAny(NumberCharacters);
        ReadOnlySpan<char> suffix = next < 0 ? text[digits..] : text.Slice(digits, next);
        foreach ((string name, long length) in Units)
        {
            unit = suffix.SequenceEqual(name) ? length : unit;
        }

        if (unit == 0 || !decimal.TryParse(text[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number))
        {
            return false;
        }

        milliseconds = number * unit;
        text = text[(digits + suffix.Length)..];
        return true;
    }

    /// <summary>Formats in the largest unit that gives a whole number: <c>90s</c>, <c>24d</c>.</summary>
    public static string Format(TimeSpan duration)
    {
        long milliseconds = duration.Ticks / TimeSpan.TicksPerMillisecond;
        if (milliseconds == 0)
        {
            return "0s";
        }

        (string suffix, long unit) = Units.Last(u => milliseconds % u.Milliseconds == 0);
        return string.Create(CultureInfo.InvariantCulture, $"{milliseconds / unit}{suffix}");
    }
}
