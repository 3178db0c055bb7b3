namespace L4Balancer.Core.Toml;

/// <summary>
/// Dates and times of RFC 3339. The specification leaves leap seconds to the calendar; .NET has none, so second 60 is rejected instead
/// of being moved to another instant.
/// </summary>
internal static class TomlDateReader
{
    private const int DateLength = 10;
    private const int TimeLength = 8;
    private const int TickDigits = 7;

    /// <summary>A colon or a hyphen between digits: meant as a date or time, whether it is a good one or not.</summary>
    public static bool Resembles(ReadOnlySpan<char> text) =>
        char.IsAsciiDigit(text[0])
        && (text.Contains(':') || (text.IndexOf('-') is > 0 and int hyphen && char.IsAsciiDigit(text[hyphen - 1])));

    public static bool IsDate(ReadOnlySpan<char> text) => text.Length == DateLength && HasShape(text, "0000-00-00");

    /// <summary>Reads all of <paramref name="text"/>, or answers null and says in <paramref name="mistake"/> why not.</summary>
    public static TomlNode? Read(ReadOnlySpan<char> text, TomlPosition position, out string mistake)
    {
        if (!HasShape(text, "0000-00-00"))
        {
            if (!TryTime(text, out long timeTicks, out int timeLength, out mistake)) return null;
            if (timeLength != text.Length) return Fail(text, out mistake);
            return new TomlLocalTime(position, new TimeOnly(timeTicks));
        }

        if (!TryDate(text, out DateOnly date, out mistake)) return null;
        if (text.Length == DateLength) return new TomlLocalDate(position, date);
        if (text[DateLength] is not ('T' or 't' or ' ')) return Fail(text, out mistake);
        ReadOnlySpan<char> time = text[(DateLength + 1)..];
        if (!TryTime(time, out long ticks, out int used, out mistake)) return null;
        DateTime local = date.ToDateTime(new TimeOnly(ticks));
        ReadOnlySpan<char> offset = time[used..];
        if (offset.IsEmpty) return new TomlLocalDateTime(position, local);
        return TryOffset(offset, out TimeSpan fromUtc, out mistake) ? WithOffset(local, fromUtc, position, out mistake) : null;
    }

    private static bool TryDate(ReadOnlySpan<char> text, out DateOnly date, out string mistake)
    {
        date = default;
        int year = (Two(text, 0) * 100) + Two(text, 2);
        int month = Two(text, 5);
        int day = Two(text, 8);
        mistake = year == 0 ? "year 0000 is not supported: 0001 to 9999 are allowed"
            : month is 0 or > 12 ? $"there is no month {month:00}: 01 to 12 are allowed"
            : day == 0 || day > DateTime.DaysInMonth(year, month)
                ? $"there is no day {day:00} in {year:0000}-{month:00}: 01 to {DateTime.DaysInMonth(year, month)} are allowed"
            : "";
        if (mistake.Length > 0) return false;
        date = new DateOnly(year, month, day);
        return true;
    }

    private static bool TryTime(ReadOnlySpan<char> text, out long ticks, out int used, out string mistake)
    {
        ticks = 0;
        used = TimeLength;
        if (!HasShape(text, "00:00:00"))
        {
            Fail(text, out mistake);
            return false;
        }

        int hour = Two(text, 0);
        int minute = Two(text, 3);
        int second = Two(text, 6);
        mistake = hour > 23 ? $"there is no hour {hour}: 00 to 23 are allowed"
            : minute > 59 ? $"there is no minute {minute}: 00 to 59 are allowed"
            : second == 60 ? "leap seconds are not supported: 00 to 59 are allowed"
            : second > 59 ? $"there is no second {second}: 00 to 59 are allowed"
            : "";
        if (mistake.Length > 0) return false;
        ticks = (hour * TimeSpan.TicksPerHour) + (minute * TimeSpan.TicksPerMinute) + (second * TimeSpan.TicksPerSecond);
        if (used == text.Length || text[used] != '.') return true;

        int digits = 0;
        long tick = TimeSpan.TicksPerSecond;
        for (used++; used < text.Length && char.IsAsciiDigit(text[used]); used++)
        {
            tick /= 10;
            if (digits++ < TickDigits) ticks += (text[used] - '0') * tick;
        }

        if (digits > 0) return true;
        mistake = $"{TomlExcerpt.Of(text)} is not a time: digits are expected behind the decimal point";
        return false;
    }

    private static bool TryOffset(ReadOnlySpan<char> text, out TimeSpan offset, out string mistake)
    {
        offset = default;
        mistake = "";
        if (text is "Z" or "z") return true;
        bool good = text.Length == 6 && text[0] is '+' or '-' && HasShape(text[1..], "00:00") && Two(text, 1) < 24 && Two(text, 4) < 60;
        if (!good)
        {
            mistake = $"{TomlExcerpt.Of(text)} is not an offset: allowed are Z and +00:00 or -00:00 up to 23:59";
            return false;
        }

        offset = new TimeSpan(Two(text, 1), Two(text, 4), 0);
        if (text[0] == '-') offset = -offset;
        return true;
    }

    private static TomlOffsetDateTime? WithOffset(DateTime local, TimeSpan offset, TomlPosition position, out string mistake)
    {
        mistake = "";
        long utc = local.Ticks - offset.Ticks;
        if (utc < DateTime.MinValue.Ticks || utc > DateTime.MaxValue.Ticks)
        {
            mistake = "this instant lies outside the years 0001 to 9999 in UTC";
            return null;
        }

        // DateTimeOffset holds 14 hours at most, RFC 3339 allows more: then the instant counts.
        return new TomlOffsetDateTime(
            position,
            offset.Duration() > TimeSpan.FromHours(14) ? new DateTimeOffset(utc, TimeSpan.Zero) : new DateTimeOffset(local, offset));
    }

    private static bool HasShape(ReadOnlySpan<char> text, string shape)
    {
        if (text.Length < shape.Length) return false;
        for (int i = 0; i < shape.Length; i++)
        {
            if (shape[i] == '0' ? !char.IsAsciiDigit(text[i]) : text[i] != shape[i]) return false;
        }

        return true;
    }

    private static int Two(ReadOnlySpan<char> text, int index) => ((text[index] - '0') * 10) + text[index + 1] - '0';

    private static TomlNode? Fail(ReadOnlySpan<char> text, out string mistake)
    {
        mistake = $"{TomlExcerpt.Of(text)} is not a date or time: allowed are 1979-05-27, 07:32:00, 1979-05-27T07:32:00 and "
            + "1979-05-27T07:32:00Z or +02:00; seconds may have a fraction";
        return null;
    }
}
