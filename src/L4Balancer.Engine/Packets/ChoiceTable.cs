using System.Buffers.Binary;

namespace L4Balancer.Engine.Packets;

/// <summary>
/// The layout of what a program chooses by: one value of a BPF array for each pool, replaced as a whole. It holds Maglev's table, the members that are
/// available, and, for the case that nearly none is, those in the order of their addresses with the sums of their weights. Little-endian; offsets
/// are in bytes.
/// </summary>
/// <param name="entries">Number of entries of the table that there is room for.</param>
/// <param name="members">Number of members that there is room for: a power of two.</param>
internal sealed class ChoiceTable(int entries, int members)
{
    /// <summary>Entries of the table, as 32 bits.</summary>
    public const short SizeAt = 0;

    /// <summary>Members that are available, as 32 bits.</summary>
    public const short AvailableAt = 4;

    /// <summary>The sum of their weights, as 32 bits.</summary>
    public const short WeightAt = 8;

    /// <summary>
    /// Always zero, as 32 bits. The kernel's verifier does not know that: what begins with it is a number of any size to it, so that it
    /// follows one path where it would follow one for each number.
    /// </summary>
    public const short ZeroAt = 12;

    /// <summary>1 if a member is in slow start, as 32 bits; else the ramps need not be looked at.</summary>
    public const short RampingAt = 16;

    /// <summary>Members by entry, 16 bits each.</summary>
    public const short OwnersAt = 24;

    public int Entries => entries;

    public int Members => members;

    /// <summary>One byte for each member: 1 if it is available.</summary>
    public int TakesAt => (OwnersAt + (entries * sizeof(ushort)) + 7) & ~7;

    /// <summary>The available members in the order of their addresses, 16 bits each.</summary>
    public int OrderAt => TakesAt + members;

    /// <summary>The sum of the weights up to each of these, 32 bits each.</summary>
    public int SumsAt => OrderAt + (members * sizeof(ushort));

    /// <summary>The number of the backend of each member, 32 bits each: it stays the same when members come and go.</summary>
    public int NumbersAt => SumsAt + (members * sizeof(uint));

    /// <summary>Slow start: how many of 2^64 mixed hashes each member takes, 64 bits each; all bits set: every one.</summary>
    public int RampsAt => (NumbersAt + (members * sizeof(uint)) + 7) & ~7;

    /// <summary>Bytes of a value.</summary>
    public int Length => RampsAt + (members * sizeof(ulong));

    /// <summary>Writes the value for a table and its available members.</summary>
    /// <param name="owners">Members by entry, as in Core's Maglev.</param>
    /// <param name="available">Those that take new connections, in the order of their addresses, with their weights.</param>
    /// <param name="numbers">Of the backends, by member.</param>
    /// <param name="ramps">Slow start, by member; empty: no member is in it.</param>
    /// <exception cref="ArgumentException">There is no room for so many.</exception>
    public byte[] Write(ReadOnlySpan<ushort> owners, ReadOnlySpan<(ushort Member, int Weight)> available, ReadOnlySpan<int> numbers,
        ReadOnlySpan<ulong> ramps = default)
    {
        if (owners.Length > entries || available.Length > members || numbers.Length > members || ramps.Length > members)
        {
            throw new ArgumentException($"there is room for {entries} entries and {members} members");
        }

        byte[] value = new byte[Length];
        BinaryPrimitives.WriteInt32LittleEndian(value.AsSpan(SizeAt), owners.Length);
        BinaryPrimitives.WriteInt32LittleEndian(value.AsSpan(AvailableAt), available.Length);
        for (int i = 0; i < owners.Length; i++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(value.AsSpan(OwnersAt + (i * sizeof(ushort))), owners[i]);
        }

        for (int i = 0; i < numbers.Length; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(value.AsSpan(NumbersAt + (i * sizeof(int))), numbers[i]);
        }

        BinaryPrimitives.WriteInt32LittleEndian(value.AsSpan(RampingAt), ramps.IsEmpty ? 0 : 1);
        for (int i = 0; i < ramps.Length; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(value.AsSpan(RampsAt + (i * sizeof(ulong))), ramps[i]);
        }

        uint sum = 0;
        for (int i = 0; i < available.Length; i++)
        {
            sum += (uint)available[i].Weight;
            value[TakesAt + available[i].Member] = 1;
            BinaryPrimitives.WriteUInt16LittleEndian(value.AsSpan(OrderAt + (i * sizeof(ushort))), available[i].Member);
            BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(SumsAt + (i * sizeof(uint))), sum);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(WeightAt), sum);
        return value;
    }

    /// <summary>The same table as a value of a layout with at least as much room.</summary>
    public byte[] Enlarge(ReadOnlySpan<byte> value, ChoiceTable to)
    {
        byte[] larger = new byte[to.Length];
        value[..OwnersAt].CopyTo(larger);
        value.Slice(OwnersAt, entries * sizeof(ushort)).CopyTo(larger.AsSpan(OwnersAt));
        value.Slice(TakesAt, members).CopyTo(larger.AsSpan(to.TakesAt));
        value.Slice(OrderAt, members * sizeof(ushort)).CopyTo(larger.AsSpan(to.OrderAt));
        value.Slice(SumsAt, members * sizeof(uint)).CopyTo(larger.AsSpan(to.SumsAt));
        value.Slice(NumbersAt, members * sizeof(uint)).CopyTo(larger.AsSpan(to.NumbersAt));
        value.Slice(RampsAt, members * sizeof(ulong)).CopyTo(larger.AsSpan(to.RampsAt));
        return larger;
    }
}
