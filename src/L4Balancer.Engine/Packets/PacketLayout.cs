using System.Globalization;

namespace L4Balancer.Engine.Packets;

/// <summary>
/// The name of the layout of a set of maps: it says whether a process can go on with those that another has left, and how large they are.
/// </summary>
internal static class PacketLayout
{
    /// <summary>
    /// Goes up when the keys or values of a map change, or what they mean: the maps of another version are not gone on with, and the flows in them are
    /// forgotten. A new program with the same maps needs none, as it replaces the old one in any case.
    /// </summary>
    public const int Version = 1;

    private const string Prefix = "layout";

    private const string SecondChance = "second";

    public static string NameOf(PacketLimits limits) =>
        string.Join('-', [Prefix, .. Numbers(limits)]) + (limits.SecondChance ? $"-{SecondChance}" : "");

    /// <returns>Null: no layout, or one of another version.</returns>
    public static PacketLimits? Parse(string name)
    {
        string[] parts = name.Split('-');
        int[] numbers = new int[7];
        bool hasSecondChance = parts[^1] == SecondChance;
        if (parts.Length != numbers.Length + (hasSecondChance ? 2 : 1) || parts[0] != Prefix)
        {
            return null;
        }

        for (int i = 0; i < numbers.Length; i++)
        {
            if (!int.TryParse(parts[i + 1], NumberStyles.None, CultureInfo.InvariantCulture, out numbers[i]))
            {
                return null;
            }
        }

        return numbers[0] == Version
            ? new PacketLimits(numbers[1], numbers[2], numbers[3], numbers[4], new ChoiceTable(numbers[5], numbers[6]))
            {
                SecondChance = hasSecondChance,
            }
            : null;
    }

    private static IEnumerable<string> Numbers(PacketLimits limits) =>
        new[] { Version, limits.Services, limits.Pools, limits.Backends, limits.Flows, limits.Table.Entries, limits.Table.Members }
            .Select(n => n.ToString(CultureInfo.InvariantCulture));
}
