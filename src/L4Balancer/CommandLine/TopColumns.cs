using System.Globalization;
using L4Balancer.Admin.Answers;

namespace L4Balancer.CommandLine;

/// <summary>A column of a view of <c>top</c>.</summary>
/// <param name="Key">The key that sorts by it.</param>
/// <param name="Width">In characters; negative: text, aligned to the left.</param>
/// <param name="Narrowest">Width of the terminal from which on it is shown.</param>
/// <param name="Order">What is sorted by, ascending; a larger one comes first.</param>
internal sealed record TopColumn<T>(char Key, string Heading, int Width, int Narrowest, Func<T, string> Cell, Func<T, IComparable> Order)
{
    /// <summary>The column is shown only where a row has something in it.</summary>
    public Func<T, bool>? OnlyWhere { get; init; }

    /// <summary>Null: plain.</summary>
    public Func<T, TopTone?>? Tone { get; init; }
}

/// <summary>The columns of the views beside the name, which takes the width that they leave.</summary>
internal static class TopColumns
{
    public static IReadOnlyList<TopColumn<TopRow>> Backends { get; } =
    [
        new('s', "STATE", -11, 0, r => r.Backend.State, r => r.Backend.State) { Tone = static r => TopPaint.ToneOf(r.Backend.State) },
        new('w', "WEIGHT", 6, 100, r => Quantity.Count(r.Backend.Weight), r => r.Backend.Weight),
        new('a', "ACTIVE", 7, 0, r => Quantity.Count(r.Backend.Connections), r => r.Backend.Connections),
        new('h', "SHARE", 5, 110, r => Quantity.Ratio(r.Backend.ShareRatio), r => r.Backend.ShareRatio ?? 0),
        new('n', "NEW/S", 6, 0, r => Whole(r.New), r => r.New ?? 0),
        new('c', "CLOSED/S", 8, 90, r => Whole(r.Closed), r => r.Closed ?? 0),
        new('i', "IN/S", 8, 0, r => Bytes(r.In), r => r.In ?? 0),
        new('p', "PACKETS/S", 9, 0, r => Whole(r.Packets), r => r.Packets ?? 0) { OnlyWhere = static r => r.Backend.Packets is not null },
        new('o', "OUT/S", 8, 0, r => Bytes(r.Out), r => r.Out ?? 0),
        new('g', "CLOSING", -16, 0, Closing, r => r.Backend.Shedding?.Planned ?? 0)
        {
            OnlyWhere = static r => r.Backend.Shedding is not null,
            Tone = static r => r.Backend.Shedding is null ? null : TopTone.Warning,
        },
    ];

    public static IReadOnlyList<TopColumn<PoolAnswer>> Pools { get; } =
    [
        new('l', "BALANCE", -17, 90, p => p.Balance, p => p.Balance),
        new('b', "BACKENDS", 8, 0, p => Quantity.Count(p.Backends), p => p.Backends),
        new('u', "UP", 6, 0, p => Quantity.Count(p.Up), p => p.Up) { Tone = static p => p.TakesConnections ? null : TopTone.Bad },
        new('d', "DOWN", 6, 0, p => Quantity.Count(p.Down + p.Degraded), p => p.Down + p.Degraded)
        {
            Tone = static p => p.Down + p.Degraded > 0 ? TopTone.Bad : null,
        },
        new('m', "DRAIN", 6, 0, p => Quantity.Count(p.Draining + p.Maintenance), p => p.Draining + p.Maintenance)
        {
            Tone = static p => p.Draining + p.Maintenance > 0 ? TopTone.Warning : null,
        },
        new('a', "ACTIVE", 8, 0, p => Quantity.Count(p.Connections), p => p.Connections),
        new('r', "NOTE", -20, 0, PoolNote, p => p.TakesConnections ? p.Rebalance?.Planned ?? 0 : int.MaxValue)
        {
            OnlyWhere = static p => p.Rebalance is not null || !p.TakesConnections,
            Tone = static p => !p.TakesConnections ? TopTone.Bad : p.Rebalance is null ? null : TopTone.Warning,
        },
    ];

    public static IReadOnlyList<TopColumn<ConnectionAnswer>> Connections { get; } =
    [
        new('n', "ID", 10, 100, c => c.Id.ToString(CultureInfo.InvariantCulture), c => c.Id),
        new('l', "LISTENER", -12, 110, c => c.Listener, c => c.Listener),
        new('k', "BACKEND", -18, 0, c => c.Backend is null ? "-" : KeepEnd($"{c.Pool}/{c.Backend}", 18), c => c.Backend ?? ""),
        new('a', "AGE", 7, 0, c => Quantity.Seconds(c.AgeSeconds), c => c.AgeSeconds),
        new('d', "IDLE", 7, 0, c => Quantity.Seconds(c.IdleSeconds), c => c.IdleSeconds),
        new('i', "IN", 9, 0, c => Quantity.Bytes(c.BytesToBackend), c => c.BytesToBackend),
        new('o', "OUT", 9, 0, c => Quantity.Bytes(c.BytesToClient), c => c.BytesToClient),
    ];

    public static IReadOnlyList<TopColumn<EventAnswer>> Events { get; } =
    [
        new('t', "TIME (UTC)", -14, 0, e => e.At.ToUniversalTime().ToString("MM-dd HH:mm:ss", CultureInfo.InvariantCulture), e => e.Number),
        new('v', "LEVEL", -7, 0, e => e.Level, e => e.Level) { Tone = static e => TopPaint.ToneOf(e.Level) },
    ];

    /// <summary>Names of one pool differ at their end.</summary>
    public static string KeepEnd(string text, int width) =>
        text.Length <= width ? text.PadRight(width) : string.Concat("…", text.AsSpan(text.Length - width + 1));

    private static string Closing(TopRow row) => row.Backend.Shedding is { } shedding
        ? string.Create(CultureInfo.InvariantCulture, $"{shedding.Reason} {shedding.Closed}/{shedding.Planned}") : "";

    private static string PoolNote(PoolAnswer pool) => !pool.TakesConnections ? "refuses clients"
        : pool.Rebalance is { } running ? string.Create(CultureInfo.InvariantCulture, $"rebalance {running.Closed}/{running.Planned}") : "";

    private static string Whole(double? rate) => rate is double r ? Math.Round(r).ToString("0", CultureInfo.InvariantCulture) : "-";

    private static string Bytes(double? rate) => rate is double r ? Quantity.Bytes(r) : "-";
}
