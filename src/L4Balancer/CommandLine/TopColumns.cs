using System.Globalization;

namespace L4Balancer.CommandLine;

/// <summary>A column of <c>top</c>.</summary>
/// <param name="Key">The key that sorts by it.</param>
/// <param name="Narrowest">Width of the terminal from which on it is shown.</param>
/// <param name="Order">What is sorted by, ascending; a larger one comes first.</param>
internal sealed record TopColumn(char Key, string Heading, int Width, int Narrowest, Func<TopRow, string> Cell, Func<TopRow, IComparable> Order);

/// <summary>The columns of <c>top</c> beside the name, which takes the width that they leave.</summary>
internal static class TopColumns
{
    public const char NameKey = 'N';

    public static IReadOnlyList<TopColumn> All { get; } =
    [
        new('s', "STATE", -11, 0, r => r.Backend.State, r => r.Backend.State),
        new('w', "WEIGHT", 6, 100, r => Quantity.Count(r.Backend.Weight), r => r.Backend.Weight),
        new('a', "ACTIVE", 7, 0, r => Quantity.Count(r.Backend.Connections), r => r.Backend.Connections),
        new('h', "SHARE", 5, 110, r => Quantity.Ratio(r.Backend.ShareRatio), r => r.Backend.ShareRatio ?? 0),
        new('n', "NEW/S", 6, 0, r => Whole(r.New), r => r.New ?? 0),
        new('c', "CLOSED/S", 8, 90, r => Whole(r.Closed), r => r.Closed ?? 0),
        new('i', "IN/S", 8, 0, r => Bytes(r.In), r => r.In ?? 0),
        new('p', "PACKETS/S", 9, 130, r => Whole(r.Packets), r => r.Packets ?? 0),
        new('o', "OUT/S", 8, 0, r => Bytes(r.Out), r => r.Out ?? 0),
    ];

    /// <summary>The columns that a terminal of this width has room for.</summary>
    public static TopColumn[] Of(int width) => [.. All.Where(c => c.Narrowest <= width)];

    private static string Whole(double? rate) => rate is double r ? Math.Round(r).ToString("0", CultureInfo.InvariantCulture) : "-";

    private static string Bytes(double? rate) => rate is double r ? Quantity.Bytes(r) : "-";
}
