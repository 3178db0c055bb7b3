using System.Collections.Immutable;
using L4Balancer.Core.Accounting;

namespace L4Balancer.Core.Handover;

/// <summary>What kind of order closes connections at a pace. The values are part of the format between processes.</summary>
public enum ShedKind : byte
{
    /// <summary>All connections of one backend.</summary>
    Backend,

    /// <summary>Those of a pool that are too many on their backends.</summary>
    Rebalance,

    /// <summary>Those that match a filter of an operator.</summary>
    Filter,
}

/// <summary>An order to close connections at a pace that is not done yet, for another process to go on with. Immutable.</summary>
public sealed record CarriedShed(ShedKind Kind)
{
    /// <summary>The version that this build writes; as <see cref="CarriedRecord.FormatVersion"/>.</summary>
    public const byte FormatVersion = 1;

    // Of an order, and of its parts in that. Numbers are never used again.
    private const ushort OrderTag = 1;
    private const ushort WhatTag = 1 | FieldWriter.Mandatory;
    private const ushort FilterTag = 2 | FieldWriter.Mandatory;

    /// <summary>Of a backend or a rebalance.</summary>
    public string Pool { get; init; } = "";

    /// <summary>Of a backend.</summary>
    public string Backend { get; init; } = "";

    /// <summary>The address of that backend as it is written.</summary>
    public string Address { get; init; } = "";

    public CloseReason Reason { get; init; }

    /// <summary>Connections per second that were asked for; null: the <c>close_rate</c> of the pool, with its other closes.</summary>
    public int? PerSecond { get; init; }

    /// <summary>The time that is left for all of them, where that was asked for instead of a rate.</summary>
    public TimeSpan? Within { get; init; }

    /// <summary>Of a rebalance: as a ratio.</summary>
    public double Tolerance { get; init; }

    /// <summary>Of a filter, by the names of its parts.</summary>
    public ImmutableArray<(string Part, string Value)> Filter { get; init; } = [];

    public static byte[] ToBytes(IEnumerable<CarriedShed> sheds)
    {
        ArgumentNullException.ThrowIfNull(sheds);
        var writer = new FieldWriter();
        writer.Byte(FormatVersion);
        foreach (CarriedShed shed in sheds)
        {
            int order = writer.Begin(OrderTag);
            int field = writer.Begin(WhatTag);
            writer.Byte((byte)shed.Kind);
            writer.Text(shed.Pool);
            writer.Text(shed.Backend);
            writer.Text(shed.Address);
            writer.Text(shed.Reason.Name());
            writer.Int(shed.PerSecond ?? -1);
            writer.Long(shed.Within?.Ticks ?? -1);
            writer.Long(BitConverter.DoubleToInt64Bits(shed.Tolerance));
            writer.End(field);
            if (!shed.Filter.IsEmpty)
            {
                field = writer.Begin(FilterTag);
                foreach ((string part, string value) in shed.Filter)
                {
                    writer.Text(part);
                    writer.Text(value);
                }

                writer.End(field);
            }

            writer.End(order);
        }

        return writer.ToArray();
    }

    /// <summary>Reads orders of any version. The bytes are read as if they were hostile.</summary>
    /// <param name="left">How many orders are left out, because this build does not know what they mean.</param>
    /// <returns>Those before the first byte that is wrong.</returns>
    public static IReadOnlyList<CarriedShed> Read(ReadOnlySpan<byte> bytes, out int left)
    {
        List<CarriedShed> sheds = [];
        left = 0;
        var reader = new FieldReader(bytes);
        reader.Byte();
        while (reader.TryNext(out ushort tag, out FieldReader order))
        {
            if (tag == OrderTag && ReadOrder(ref order) is { } shed)
            {
                sheds.Add(shed);
            }
            else
            {
                left++;
            }
        }

        return sheds;
    }

    private static CarriedShed? ReadOrder(ref FieldReader order)
    {
        CarriedShed? read = null;
        ImmutableArray<(string, string)>.Builder filter = ImmutableArray.CreateBuilder<(string, string)>();
        while (order.TryNext(out ushort tag, out FieldReader field))
        {
            switch (tag)
            {
                case WhatTag:
                    read = ReadWhat(ref field);
                    break;
                case FilterTag:
                    while (!field.IsAtEnd && !field.IsBad)
                    {
                        filter.Add((field.Name(), field.Name()));
                    }

                    break;
                case >= FieldWriter.Mandatory:
                    return null;
            }

            if (field.IsBad)
            {
                return null;
            }
        }

        return order.IsBad || read is null || (read.Kind == ShedKind.Filter && filter.Count == 0) ? null : read with { Filter = filter.ToImmutable() };
    }

    private static CarriedShed? ReadWhat(ref FieldReader field)
    {
        byte kind = field.Byte();
        (string pool, string backend, string address, string name) = (field.Name(), field.Name(), field.Name(), field.Name());
        int perSecond = field.Int();
        long within = field.Long();
        double tolerance = BitConverter.Int64BitsToDouble(field.Long());
        CloseReason? reason = CloseReasons.Paced.Select(static r => (CloseReason?)r).FirstOrDefault(r => r!.Value.Name() == name);
        return kind > (byte)ShedKind.Filter || reason is not { } known || tolerance is not (>= 0 and <= 1) ? null : new CarriedShed((ShedKind)kind)
        {
            Pool = pool,
            Backend = backend,
            Address = address,
            Reason = known,
            PerSecond = perSecond < 0 ? null : perSecond,
            Within = within < 0 ? null : new TimeSpan(within),
            Tolerance = tolerance,
        };
    }
}
