using System.Collections.Immutable;
using System.Globalization;

namespace L4Balancer.Core.Ports;

/// <summary>
/// The local ports that the kernel gives to connects: <c>ip_local_port_range</c> without <c>ip_local_reserved_ports</c> (ip(7)).
/// Immutable.
/// </summary>
public sealed class PortRange
{
    private readonly ImmutableArray<(int First, int Last)> _reserved;

    private PortRange(int first, int last, ImmutableArray<(int, int)> reserved)
    {
        First = first;
        Last = last;
        _reserved = reserved;
        Count = Enumerable.Range(first, last - first + 1).Count(p => !IsReserved(p));
    }

    private PortRange()
    {
        First = 1;
        _reserved = [];
    }

    /// <summary>Where nobody has said: there is no limit to compare with.</summary>
    public static PortRange Unknown { get; } = new();

    public int First { get; }

    public int Last { get; }

    /// <summary>How many of them one source can use towards one destination; 0 where that is not known.</summary>
    public int Count { get; }

    /// <summary>Reads what the two files below /proc/sys/net/ipv4 say.</summary>
    /// <param name="range">Two numbers, the last port included.</param>
    /// <param name="reserved">Ports and ranges with commas between them, as in <c>8080,9000-9010</c>; mostly empty.</param>
    /// <returns><see cref="Unknown"/> where this is no range.</returns>
    public static PortRange Parse(string range, string reserved)
    {
        ArgumentNullException.ThrowIfNull(range);
        ArgumentNullException.ThrowIfNull(reserved);
        string[] ends = range.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        return ends.Length == 2 && TryParse(ends[0], out int first) && TryParse(ends[1], out int last) && first <= last
            ? new PortRange(first, last, [.. Reserved(reserved)])
            : Unknown;
    }

    public bool IsReserved(int port)
    {
        foreach ((int first, int last) in _reserved)
        {
            if (first <= port && port <= last)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Whether both say the same.</summary>
    public bool Agrees(PortRange other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return First == other.First && Last == other.Last && _reserved.SequenceEqual(other._reserved);
    }

    private static List<(int First, int Last)> Reserved(string text)
    {
        List<(int, int)> reserved = [];
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] ends = part.Split('-');
            if (TryParse(ends[0], out int first) && TryParse(ends[^1], out int last))
            {
                reserved.Add((first, last));
            }
        }

        return reserved;
    }

    private static bool TryParse(string text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port <= ushort.MaxValue;
}
