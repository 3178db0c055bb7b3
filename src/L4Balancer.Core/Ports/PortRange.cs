using System.Collections.Immutable;
using System.Globalization;

namespace L4Balancer.Core.Ports;

/// <summary>
/// The local ports that the kernel assigns to connects: <c>ip_local_port_range</c> without <c>ip_local_reserved_ports</c> (ip(7)).
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

    /// <summary>The range is not known, so there is no limit to compare with.</summary>
    public static PortRange Unknown { get; } = new();

    public int First { get; }

    public int Last { get; }

    /// <summary>Number of ports that one source can use towards one destination; 0 if it is not known.</summary>
    public int Count { get; }

    /// <summary>Parses the content of the two files in /proc/sys/net/ipv4.</summary>
    /// <param name="range">Two numbers, the last port included.</param>
    /// <param name="reserved">Comma-separated ports and ranges, as in <c>8080,9000-9010</c>; usually empty.</param>
    /// <returns><see cref="Unknown"/> if <paramref name="range"/> is not a valid range.</returns>
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

    /// <summary>Whether both have the same bounds and reserved ports.</summary>
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
