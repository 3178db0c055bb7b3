using System.Globalization;
using L4Balancer.Core.Config;
using L4Balancer.Core.Pacing;
using Microsoft.AspNetCore.Http;

namespace L4Balancer.Admin;

/// <summary>Parses the parameters that control how fast connections are closed.</summary>
internal static class ShedQuery
{
    public const string Rate = "rate";
    public const string Within = "within";
    public const string Until = "until";
    public const string Tolerance = "tolerance";
    public const int HighestRate = 1_000_000;

    /// <param name="rate">Null if no connections are to be closed.</param>
    /// <returns>An error; null if the parameters are valid.</returns>
    public static string? Fault(HttpContext http, out CloseRate? rate)
    {
        rate = null;
        string? within = Query.Value(http, Within);
        if (RateFault(http, out int? perSecond) is string fault)
        {
            return fault;
        }

        if (perSecond is not null && within is not null)
        {
            return $"either {Rate} or {Within}, not both";
        }

        TimeSpan time = default;
        if (within is not null && !TryTime(within, out time))
        {
            return $"{Within} {Query.Shown(within)}: write a duration from 1ms to 365d, like 90s or 10m";
        }

        rate = perSecond is int number ? CloseRate.AtRate(number) : within is not null ? CloseRate.Within(time) : null;
        return null;
    }

    /// <param name="lasts">How long the change holds; null if it holds until another one.</param>
    /// <returns>An error; null if the parameter is valid or absent.</returns>
    public static string? UntilFault(HttpContext http, out TimeSpan? lasts)
    {
        lasts = null;
        if (Query.Value(http, Until) is not string text)
        {
            return null;
        }

        if (!TryTime(text, out TimeSpan time))
        {
            return $"{Until} {Query.Shown(text)}: write how long it is to hold, from 1ms to 365d, like 30m or 2h";
        }

        lasts = time;
        return null;
    }

    /// <param name="rate">Null if none is given.</param>
    public static string? RateFault(HttpContext http, out int? rate)
    {
        rate = null;
        if (Query.Value(http, Rate) is not string text)
        {
            return null;
        }

        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number > HighestRate)
        {
            return $"{Rate} {Query.Shown(text)}: write a number from 0 to {HighestRate}, connections per second; 0: all at once";
        }

        rate = number;
        return null;
    }

    /// <param name="tolerance">The given value, or 0.01.</param>
    public static string? ToleranceFault(HttpContext http, out double tolerance)
    {
        tolerance = 0.01;
        return Query.Value(http, Tolerance) is not string text
            || (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out tolerance) && tolerance is >= 0 and <= 1)
            ? null
            : $"{Tolerance} {Query.Shown(text)}: write a ratio from 0 to 1, like 0.01";
    }

    public static bool TryTime(string text, out TimeSpan time) =>
        Duration.TryParse(text, out time) && time > TimeSpan.Zero && time <= Duration.Longest;
}
