namespace L4Balancer.Upgrade;

/// <summary>What the new process says of a slice (before it serves the connections), and of all of them at the end.</summary>
/// <param name="Number">The number of the slice.</param>
/// <param name="Taken">The connections that it will serve once they are committed; the others stay with the old process.</param>
/// <param name="Refused">Why it did not take the others; empty if it took all.</param>
internal sealed record SliceAnswer(int Number, IReadOnlySet<ulong> Taken, string Refused)
{
    /// <summary>How long the longest connection of all slices so far stood still: from freezing it until the new process serves it.</summary>
    public TimeSpan Longest { get; init; }

    /// <summary>Connections that are served, of all slices so far.</summary>
    public int Moved { get; init; }

    /// <summary>Connections that could not be served after the commit, and were reset.</summary>
    public int Lost { get; init; }

    public ReadOnlyMemory<byte> Write()
    {
        byte[] taken = new byte[Taken.Count * sizeof(ulong)];
        int at = 0;
        foreach (ulong id in Taken)
        {
            System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(taken.AsSpan(at), id);
            at += sizeof(ulong);
        }

        return new UpgradeFieldWriter()
            .Add(1, Number).Add(2, taken).Add(3, Refused).Add(4, Longest.Ticks).Add(5, Moved).Add(6, Lost).Written;
    }

    /// <exception cref="UpgradeException">It cannot be read.</exception>
    public static SliceAnswer Read(ReadOnlySpan<byte> body)
    {
        var read = new SliceAnswer(0, new HashSet<ulong>(), "");
        var fields = new UpgradeFieldReader(body);
        while (fields.Next())
        {
            switch (fields.Tag)
            {
                case 1: read = read with { Number = fields.Count() }; break;
                case 2: read = read with { Taken = IdsIn(fields.Value) }; break;
                case 3: read = read with { Refused = fields.Text() }; break;
                case 4: read = read with { Longest = new TimeSpan(fields.Number()) }; break;
                case 5: read = read with { Moved = fields.Count() }; break;
                case 6: read = read with { Lost = fields.Count() }; break;
                default: fields.Pass(); break;
            }
        }

        return read;
    }

    private static HashSet<ulong> IdsIn(ReadOnlySpan<byte> bytes)
    {
        HashSet<ulong> ids = [];
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
        {
            ids.Add(System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        }

        return ids;
    }
}
