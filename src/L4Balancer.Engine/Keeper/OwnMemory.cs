using System.Globalization;
using System.Runtime.Versioning;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Keeper;

/// <summary>
/// The private memory of this process, as proc_pid_maps(5) lists it: the heap of the collector, that of the C library, stacks of threads. A
/// child of clone(2) shares it page for page until one of the two writes.
/// </summary>
[SupportedOSPlatform("linux")]
internal static class OwnMemory
{
    public const int MostRanges = 64;

    private const int Smallest = 64 * 1024;

    /// <summary>Finds the largest ranges of memory that is writable, private and of no file. The initial stack, with arguments and environment, is not among them.</summary>
    /// <returns>How many there are; 0 if the kernel does not tell.</returns>
    public static int LargestPrivate(Span<Libc.MemoryRange> ranges)
    {
        try
        {
            Libc.MemoryRange[] all = [.. File.ReadLines("/proc/self/maps").Select(Parse).Where(static r => r.Length >= Smallest).OrderByDescending(static r => r.Length)];
            int count = Math.Min(all.Length, ranges.Length);
            all.AsSpan(0, count).CopyTo(ranges);
            return count;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return 0;
        }
    }

    // 7f0a40000000-7f0a40021000 rw-p 00000000 00:00 0 [heap]
    private static Libc.MemoryRange Parse(string line)
    {
        string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string[] addresses = fields[0].Split('-');
        bool isPrivate = fields[1] == "rw-p" && (fields.Length == 5 || fields[5] == "[heap]" || fields[5].StartsWith("[anon", StringComparison.Ordinal));
        return isPrivate ? new Libc.MemoryRange(Address(addresses[0]), Address(addresses[1])) : default;
    }

    private static nuint Address(string text) => nuint.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
