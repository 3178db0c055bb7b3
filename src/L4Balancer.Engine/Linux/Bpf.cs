using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace L4Balancer.Engine.Linux;

/// <summary>bpf(2): maps and programs of the kernel, each known by a descriptor. Any thread.</summary>
internal static unsafe partial class Bpf
{
    private const int LogSize = 1 << 18;

    /// <summary>Processors that may ever be there: a map of values for each processor has as many.</summary>
    public static int PossibleProcessors { get; } = CountOf(File.ReadAllText("/sys/devices/system/cpu/possible"));

    /// <param name="inner">Of the type ARRAY_OF_MAPS: a map like those in it; otherwise 0.</param>
    public static SysResult CreateMap(int type, int keySize, int valueSize, int entries, int inner = 0)
    {
        Span<byte> attributes = stackalloc byte[Libc.BpfAttributeSize];
        attributes.Clear();
        Set(attributes, 0, type);
        Set(attributes, 4, keySize);
        Set(attributes, 8, valueSize);
        Set(attributes, 12, entries);
        Set(attributes, 20, inner);
        return Call(Libc.BPF_MAP_CREATE, attributes);
    }

    /// <summary>Sets the value of a key, which is made if it is not there.</summary>
    public static Errno Update(int map, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        fixed (byte* keyAt = key, valueAt = value)
        {
            return Element(Libc.BPF_MAP_UPDATE_ELEM, map, keyAt, valueAt);
        }
    }

    /// <returns>ENOENT if there is no such key.</returns>
    public static Errno Lookup(int map, ReadOnlySpan<byte> key, Span<byte> value)
    {
        fixed (byte* keyAt = key, valueAt = value)
        {
            return Element(Libc.BPF_MAP_LOOKUP_ELEM, map, keyAt, valueAt);
        }
    }

    /// <summary>Gives a program to the kernel, which verifies it.</summary>
    /// <param name="log">What the verifier says of a program that it refuses; otherwise empty.</param>
    public static SysResult Load(int type, ReadOnlySpan<ulong> program, out string log)
    {
        ReadOnlySpan<byte> license = "GPL\0"u8;
        fixed (ulong* code = program)
        {
            fixed (byte* licenseAt = license)
            {
                Span<byte> attributes = stackalloc byte[Libc.BpfAttributeSize];
                attributes.Clear();
                Set(attributes, 0, type);
                Set(attributes, 4, program.Length);
                Set(attributes, 8, code);
                Set(attributes, 16, licenseAt);
                SysResult loaded = Call(Libc.BPF_PROG_LOAD, attributes);
                log = loaded.IsError ? LogOf(attributes) : "";
                return loaded;
            }
        }
    }

    /// <summary>Runs a program on a packet (BPF_PROG_TEST_RUN).</summary>
    /// <param name="packet">At least an Ethernet header.</param>
    /// <param name="result">Takes the packet as the program has left it.</param>
    /// <param name="repeat">How often it runs, for its time.</param>
    public static Errno Run(int program, ReadOnlySpan<byte> packet, Span<byte> result, int repeat, out ProgramRun run)
    {
        fixed (byte* packetAt = packet, resultAt = result)
        {
            Span<byte> attributes = stackalloc byte[Libc.BpfAttributeSize];
            attributes.Clear();
            Set(attributes, 0, program);
            Set(attributes, 8, packet.Length);
            Set(attributes, 12, result.Length);
            Set(attributes, 16, packetAt);
            Set(attributes, 24, resultAt);
            Set(attributes, 32, repeat);
            SysResult ran = Call(Libc.BPF_PROG_TEST_RUN, attributes);
            run = new ProgramRun(Get(attributes, 4), Get(attributes, 12), Get(attributes, 36));
            return ran.Errno;
        }
    }

    /// <summary>The number of processors in a list such as <c>0-3,8</c> (Documentation/admin-guide/cputopology.rst).</summary>
    internal static int CountOf(string list)
    {
        int count = 0;
        foreach (string range in list.Trim().Split(','))
        {
            string[] ends = range.Split('-');
            count += int.Parse(ends[^1], CultureInfo.InvariantCulture) - int.Parse(ends[0], CultureInfo.InvariantCulture) + 1;
        }

        return count;
    }

    // The same call again, with room for what the verifier says.
    private static string LogOf(Span<byte> attributes)
    {
        byte[] log = new byte[LogSize];
        fixed (byte* logAt = log)
        {
            Set(attributes, 24, 1);
            Set(attributes, 28, log.Length);
            Set(attributes, 32, logAt);
            SysResult again = Call(Libc.BPF_PROG_LOAD, attributes);
            if (!again.IsError)
            {
                _ = Libc.close(again.Value);
            }
        }

        int end = Array.IndexOf(log, (byte)0);
        return Encoding.UTF8.GetString(log, 0, end < 0 ? log.Length : end);
    }

    private static Errno Element(int command, int map, byte* key, byte* value, ulong flags = 0)
    {
        Span<byte> attributes = stackalloc byte[Libc.BpfAttributeSize];
        attributes.Clear();
        Set(attributes, 0, map);
        Set(attributes, 8, key);
        Set(attributes, 16, value);
        MemoryMarshal.Write(attributes[24..], flags);
        return Call(command, attributes).Errno;
    }

    private static SysResult Call(int command, Span<byte> attributes)
    {
        fixed (byte* at = attributes)
        {
            return SysResult.From(Libc.bpf(Libc.SYS_bpf, command, at, attributes.Length));
        }
    }

    private static void Set(Span<byte> attributes, int offset, int value) => MemoryMarshal.Write(attributes[offset..], value);

    private static void Set(Span<byte> attributes, int offset, void* value) => MemoryMarshal.Write(attributes[offset..], (ulong)value);

    private static int Get(ReadOnlySpan<byte> attributes, int offset) => MemoryMarshal.Read<int>(attributes[offset..]);
}

/// <summary>What a run of a program on a packet came to.</summary>
/// <param name="Verdict">What it returned: of an XDP program, XDP_PASS and so on.</param>
/// <param name="Length">Bytes of the packet afterwards.</param>
/// <param name="Nanoseconds">The mean time of one run.</param>
internal readonly record struct ProgramRun(int Verdict, int Length, int Nanoseconds);
