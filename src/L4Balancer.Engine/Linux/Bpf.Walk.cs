namespace L4Balancer.Engine.Linux;

/// <content>Walking through maps.</content>
internal static unsafe partial class Bpf
{
    private const int BatchSize = 4096;

    /// <summary>Receives what a walk has found: <paramref name="count"/> keys and as many values, one after the other.</summary>
    public delegate void BatchReader(ReadOnlySpan<byte> keys, ReadOnlySpan<byte> values, int count);

    /// <summary>
    /// Reads a hash map in batches (Linux 5.6), about 100 ns for each entry. Entries that are written meanwhile may be seen or not; none counts as used.
    /// </summary>
    /// <returns>ENOENT is not one: the end of the map is none.</returns>
    public static Errno Walk(int map, int keySize, int valueSize, BatchReader reader)
    {
        byte[] keys = new byte[keySize * BatchSize];
        byte[] values = new byte[valueSize * BatchSize];
        uint cursor = 0;
        for (bool first = true; ; first = false)
        {
            Errno error = NextBatch(map, first, ref cursor, keys, values, out int count);
            if (error is not (Errno.None or Errno.ENOENT))
            {
                return error;
            }

            if (count > 0)
            {
                reader(keys.AsSpan(0, count * keySize), values.AsSpan(0, count * valueSize), count);
            }

            if (error == Errno.ENOENT)
            {
                return Errno.None;
            }
        }
    }

    /// <summary>Sets the value of a key unless the key is there already.</summary>
    /// <returns>EEXIST: it is.</returns>
    public static Errno Insert(int map, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        fixed (byte* keyAt = key, valueAt = value)
        {
            return Element(Libc.BPF_MAP_UPDATE_ELEM, map, keyAt, valueAt, Libc.BPF_NOEXIST);
        }
    }

    public static Errno Delete(int map, ReadOnlySpan<byte> key)
    {
        fixed (byte* keyAt = key)
        {
            return Element(Libc.BPF_MAP_DELETE_ELEM, map, keyAt, null);
        }
    }

    private static Errno NextBatch(int map, bool first, ref uint cursor, byte[] keys, byte[] values, out int count)
    {
        fixed (byte* keysAt = keys, valuesAt = values)
        {
            uint from = cursor, to = 0;
            Span<byte> attributes = stackalloc byte[Libc.BpfAttributeSize];
            attributes.Clear();
            Set(attributes, 0, first ? null : &from);
            Set(attributes, 8, &to);
            Set(attributes, 16, keysAt);
            Set(attributes, 24, valuesAt);
            Set(attributes, 32, BatchSize);
            Set(attributes, 36, map);
            Errno error = Call(Libc.BPF_MAP_LOOKUP_BATCH, attributes).Errno;
            count = Get(attributes, 32);
            cursor = to;
            return error;
        }
    }
}
