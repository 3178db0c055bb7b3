using System.Globalization;

namespace L4Balancer.Core.Config;

/// <summary>A size: a whole number of bytes, KiB, MiB or GiB, as in <c>16KiB</c>; zero needs no unit.</summary>
public readonly record struct ByteSize(long Bytes)
{
    private static readonly (string Suffix, long Bytes)[] Units = [("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("B", 1)];

    public static bool TryParse(string text, out ByteSize size)
    {
        ArgumentNullException.ThrowIfNull(text);
        size = default;
        if (text == "0")
        {
            return true;
        }

        (string suffix, long unit) = Units.FirstOrDefault(u => text.EndsWith(u.Suffix, StringComparison.Ordinal));
        if (unit == 0 || !long.TryParse(text.AsSpan(0, text.Length - suffix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            || number > long.MaxValue / unit)
        {
            return false;
        }

        size = new ByteSize(number * unit);
        return true;
    }

    /// <summary>As in the configuration, in the largest unit that gives a whole number.</summary>
    public override string ToString()
    {
        long bytes = Bytes;
        (string suffix, long unit) = Units.LastOrDefault(u => u.Bytes > 1 && bytes >= u.Bytes && bytes % u.Bytes == 0);
        return bytes == 0 ? "0"
            : unit == 0 ? string.Create(CultureInfo.InvariantCulture, $"{bytes}B")
            : string.Create(CultureInfo.InvariantCulture, $"{bytes / unit}{suffix}");
    }
}
