namespace L4Balancer.Bench.Survive.Peers;

/// <summary>
/// The bytes of a stream, each given by its position, so that a byte that is lost, doubled, moved or of another connection is noticed. The
/// period is a prime, and no multiple of a buffer's size.
/// </summary>
internal static class Pattern
{
    private const int Period = 65_521;
    private const ulong Spread = 7919;
    private const ulong Back = 30_011;

    // Twice the period, so that any piece of one period lies in one piece.
    private static readonly byte[] Table = Make();

    /// <summary>Where the stream of a connection begins.</summary>
    public static int Start(ulong connection, bool toClient) => (int)(((connection * Spread) + (toClient ? Back : 0)) % Period);

    public static void Fill(int start, long position, Span<byte> target)
    {
        for (int done = 0; done < target.Length;)
        {
            int count = Math.Min(Period, target.Length - done);
            Table.AsSpan(Place(start, position + done), count).CopyTo(target[done..]);
            done += count;
        }
    }

    public static bool Matches(int start, long position, ReadOnlySpan<byte> received)
    {
        for (int done = 0; done < received.Length;)
        {
            int count = Math.Min(Period, received.Length - done);
            if (!received.Slice(done, count).SequenceEqual(Table.AsSpan(Place(start, position + done), count)))
            {
                return false;
            }

            done += count;
        }

        return true;
    }

    private static int Place(int start, long position) => (int)((start + position) % Period);

    private static byte[] Make()
    {
        byte[] table = new byte[2 * Period];
        new Random(4711).NextBytes(table.AsSpan(0, Period));
        table.AsSpan(0, Period).CopyTo(table.AsSpan(Period));
        return table;
    }
}
