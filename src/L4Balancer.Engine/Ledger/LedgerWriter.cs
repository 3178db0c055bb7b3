using System.Globalization;

namespace L4Balancer.Engine.Ledger;

/// <summary>The process that writes a ledger: one id and its start, within one boot of the machine.</summary>
/// <param name="BootFirst">The first eight bytes of the boot id.</param>
/// <param name="BootSecond">The other eight.</param>
/// <param name="Process">Its id in its own namespace.</param>
/// <param name="Started">In clock ticks since the boot.</param>
public readonly record struct LedgerWriter(ulong BootFirst, ulong BootSecond, int Process, ulong Started)
{
    /// <summary>Of this process.</summary>
    /// <exception cref="IOException">/proc cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">As above.</exception>
    /// <exception cref="FormatException">/proc says what it does not say on Linux.</exception>
    public static LedgerWriter Current()
    {
        (ulong first, ulong second) = BootOf(File.ReadAllText("/proc/sys/kernel/random/boot_id"));
        return new LedgerWriter(first, second, Environment.ProcessId, StartOf(File.ReadAllText("/proc/self/stat")));
    }

    /// <summary>Whether the process still runs. False for another boot.</summary>
    public bool IsRunning()
    {
        LedgerWriter current = Current();
        if (current.BootFirst != BootFirst || current.BootSecond != BootSecond)
        {
            return false;
        }

        try
        {
            string stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{Process}/stat"));
            return StartOf(stat) == Started && !IsZombie(stat);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return false;
        }
    }

    /// <exception cref="FormatException">It is no UUID.</exception>
    internal static (ulong First, ulong Second) BootOf(string text)
    {
        Span<byte> bytes = stackalloc byte[16];
        Guid.Parse(text.Trim(), CultureInfo.InvariantCulture).TryWriteBytes(bytes, bigEndian: true, out _);
        return (BitConverter.ToUInt64(bytes), BitConverter.ToUInt64(bytes[8..]));
    }

    /// <summary>Field 22 of proc(5), stat. The name of the program, in parentheses, may contain anything.</summary>
    /// <exception cref="FormatException">There are fewer fields.</exception>
    internal static ulong StartOf(string stat)
    {
        string[] fields = AfterName(stat);
        return fields.Length > 19
            ? ulong.Parse(fields[19], NumberStyles.None, CultureInfo.InvariantCulture) : throw new FormatException(stat);
    }

    private static bool IsZombie(string stat) => AfterName(stat) is ["Z" or "X", ..];

    // From field 3 on.
    private static string[] AfterName(string stat) => stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
