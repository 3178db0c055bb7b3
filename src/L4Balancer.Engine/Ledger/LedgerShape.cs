namespace L4Balancer.Engine.Ledger;

/// <summary>
/// How many records each area of a ledger has, and where the areas begin: one after the other in the order of docs/ledger.md, each on a
/// boundary of 4096 bytes. All numbers are of version 1.
/// </summary>
/// <param name="Workers">Event loops; each has entries and pipes of its own.</param>
/// <param name="Slots">Entries for connections of each worker.</param>
/// <param name="Pipes">Records of pipes of each worker.</param>
/// <param name="Names">Records of names.</param>
/// <param name="Overrides">Records of what operators have set, in each of two areas.</param>
/// <param name="Listening">Records of listening sockets.</param>
public readonly record struct LedgerShape(int Workers, int Slots, int Pipes, int Names = 8192, int Overrides = 4096, int Listening = 4096)
{
    internal const int Page = 4096;

    private const int MostWorkers = 4096;
    private const int MostRecords = 1 << 24;

    /// <summary>The bytes of the file: 0 if the numbers are not possible.</summary>
    public long Length => IsPossible && End <= int.MaxValue ? End : 0;

    internal const int WorkersAt = Page;

    internal long OverridesAt => WorkersAt + Rounded(Workers, LedgerWorker.Size);

    /// <summary>The bytes of one of the two areas of overrides.</summary>
    internal long OverridesLength => Rounded(Overrides, LedgerOverride.Size);

    internal long ListeningAt => OverridesAt + (2 * OverridesLength);

    internal long PipesAt => ListeningAt + Rounded(Listening, LedgerListening.Size);

    internal long NamesAt => PipesAt + Rounded((long)Workers * Pipes, LedgerPipe.Size);

    internal long EntriesAt => NamesAt + Rounded(Names, LedgerName.Size);

    private long End => EntriesAt + Rounded((long)Workers * Slots, LedgerEntry.Size);

    private bool IsPossible =>
        Workers is > 0 and <= MostWorkers && Slots is > 0 and <= MostRecords && Pipes is >= 0 and <= short.MaxValue
        && Names is > 0 and <= MostRecords && Overrides is >= 0 and <= MostRecords && Listening is >= 0 and <= MostRecords;

    /// <summary>The shape for so many connections: each worker may get all of them, as far as a file of 2 GiB allows.</summary>
    /// <param name="workers">At least 1.</param>
    /// <param name="connections">The most connections of all workers together.</param>
    /// <param name="pipes">Kernel pipes of each worker, at most 32,767.</param>
    public static LedgerShape For(int workers, int connections, int pipes)
    {
        const int entries = 1 << 30;
        long most = Math.Max(1, Math.Min((long)MostRecords, entries / LedgerEntry.Size / workers));
        return new LedgerShape(workers, (int)Math.Clamp(connections, 1, most), pipes);
    }

    private static long Rounded(long records, int size) => (((records * size) + Page - 1) / Page) * Page;
}
