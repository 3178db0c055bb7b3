using System.Buffers.Binary;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Packets;

/// <summary>
/// The tables in force, and for the second chance those before the last change, of which a packet can name the choice. Both are kept in a map that only
/// processes read (what a map of maps refers to cannot be read back without CAP_SYS_ADMIN), so that the next process and larger maps go on with them.
/// Without <see cref="PacketLimits.SecondChance"/> there are only those in force. One thread at a time.
/// </summary>
internal sealed class PreviousTables(TimeProvider clock)
{
    /// <summary>
    /// Changes within this time of one count as one with it: a second backend that fails with the first does not take the second chance from the flows that
    /// the first one's failure has moved.
    /// </summary>
    public static readonly TimeSpan OneChange = TimeSpan.FromSeconds(10);

    // By pool: when the table before was set.
    private readonly Dictionary<int, long> _changed = [];

    /// <summary>Where the tables are written.</summary>
    public required PacketMaps Maps { get; set; }

    /// <summary>
    /// Replaces the table of a pool. The one before becomes the previous one, unless this change belongs to the last: soon after it, or while slow start
    /// makes a new table again and again. A change that only takes the last one back makes the table that it replaces the previous one.
    /// </summary>
    public Errno Replace(int pool, byte[] table)
    {
        if (!Maps.Limits.SecondChance)
        {
            return Maps.SetTable(pool, table);
        }

        byte[]? current = Read(Maps, pool, isPrevious: false);
        Errno error = Errno.None;
        if (current is not null && !table.AsSpan().SequenceEqual(current))
        {
            byte[]? previous = Read(Maps, pool, isPrevious: true);
            if (previous is null || IsSettled(pool, current) || table.AsSpan().SequenceEqual(previous))
            {
                // Before the table itself: a packet by the new table and the previous of the old one would be reset.
                error = SetPrevious(Maps, pool, current);
                _changed[pool] = clock.GetTimestamp();
            }
        }

        error = error == Errno.None ? Maps.SetTable(pool, table) : error;
        return error == Errno.None ? Maps.Keep(Slot(Maps, pool, isPrevious: false), table) : error;
    }

    /// <summary>The number of a pool is given to another listener.</summary>
    public void Forget(int pool)
    {
        _changed.Remove(pool);
        if (Maps.Limits.SecondChance)
        {
            Maps.RemovePrevious(pool);
            byte[] none = new byte[Maps.Limits.Table.Length];
            _ = Maps.Keep(Slot(Maps, pool, isPrevious: false), none);
            _ = Maps.Keep(Slot(Maps, pool, isPrevious: true), none);
        }
    }

    /// <summary>Maps of another size go on with the tables of these.</summary>
    public static void Copy(PacketMaps from, PacketMaps to)
    {
        if (!from.Limits.SecondChance || !to.Limits.SecondChance)
        {
            return;
        }

        for (int pool = 0; pool < Math.Min(from.Limits.Pools, to.Limits.Pools); pool++)
        {
            if (Read(from, pool, isPrevious: false) is { } current)
            {
                _ = to.Keep(Slot(to, pool, isPrevious: false), from.Limits.Table.Enlarge(current, to.Limits.Table));
            }

            if (Read(from, pool, isPrevious: true) is { } previous)
            {
                _ = SetPrevious(to, pool, from.Limits.Table.Enlarge(previous, to.Limits.Table));
            }
        }
    }

    private static Errno SetPrevious(PacketMaps maps, int pool, byte[] table)
    {
        Errno error = maps.SetPrevious(pool, table);
        return error == Errno.None ? maps.Keep(Slot(maps, pool, isPrevious: true), table) : error;
    }

    private static byte[]? Read(PacketMaps maps, int pool, bool isPrevious)
    {
        byte[] table = new byte[maps.Limits.Table.Length];
        return maps.ReadKept(Slot(maps, pool, isPrevious), table) == Errno.None
            && BinaryPrimitives.ReadInt32LittleEndian(table.AsSpan(ChoiceTable.SizeAt)) > 0 ? table : null;
    }

    private static int Slot(PacketMaps maps, int pool, bool isPrevious) => isPrevious ? maps.Limits.Pools + pool : pool;

    private bool IsSettled(int pool, ReadOnlySpan<byte> current) =>
        BinaryPrimitives.ReadInt32LittleEndian(current[ChoiceTable.RampingAt..]) == 0
        && (!_changed.TryGetValue(pool, out long at) || clock.GetElapsedTime(at) >= OneChange);
}
