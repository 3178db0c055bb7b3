namespace L4Balancer.Core.Handover;

/// <content>The bytes: a version, then fields (<see cref="FieldWriter"/>).</content>
public sealed partial record CarriedRecord
{
    /// <summary>
    /// The version of the format that this build writes. It says which tags it knows; how a field is laid out never changes. So a reader accepts
    /// every version, and refuses a record that has a mandatory field that it does not know.
    /// </summary>
    public const byte FormatVersion = 1;

    // Numbers are never used again. What is mandatory is needed for going on with the connection as it was.
    private const ushort NumbersTag = 1 | FieldWriter.Mandatory;
    private const ushort ListenerTag = 2 | FieldWriter.Mandatory;
    private const ushort PoolTag = 3 | FieldWriter.Mandatory;
    private const ushort BackendTag = 4 | FieldWriter.Mandatory;
    private const ushort AddressesTag = 5 | FieldWriter.Mandatory;
    private const ushort EndTag = 6 | FieldWriter.Mandatory;
    private const ushort RouteTag = 7;
    private const ushort NamesTag = 8;
    private const ushort StickyTag = 9;
    private const ushort ClientPlaceTag = 10;
    private const ushort PolicyTag = 11;
    private const ushort PortTag = 12;

    private static readonly (ushort Tag, string Name)[] Needed =
    [
        (NumbersTag, "numbers"), (ListenerTag, "listener"), (PoolTag, "pool"), (BackendTag, "backend"), (AddressesTag, "addresses"),
        (EndTag, "end"),
    ];

    /// <summary>The record in bytes, which another process reads with <see cref="Read"/>.</summary>
    public byte[] ToBytes()
    {
        var writer = new FieldWriter();
        writer.Byte(FormatVersion);
        Write(writer);
        return writer.ToArray();
    }

    /// <summary>Reads a record of any version. The bytes are read as if they were hostile.</summary>
    /// <param name="fault">Why the record is refused, in a few words; empty if it is not.</param>
    /// <returns>Null if it lacks what is needed, has a mandatory field that this build does not know, or is none.</returns>
    public static CarriedRecord? Read(ReadOnlySpan<byte> bytes, out string fault)
    {
        var reader = new FieldReader(bytes);
        byte version = reader.Byte();
        if (version == 0)
        {
            fault = "no record";
            return null;
        }

        var parts = new Parts();
        uint seen = 0;
        while (reader.TryNext(out ushort tag, out FieldReader field))
        {
            int number = tag & ~FieldWriter.Mandatory;
            if (!parts.TryTake(tag, ref field))
            {
                if (tag != number)
                {
                    fault = $"version {version} with the unknown field {number}";
                    return null;
                }

                continue;
            }

            if (field.IsBad)
            {
                fault = $"bad field {number}";
                return null;
            }

            seen |= 1u << number;
        }

        fault = reader.IsBad ? "cut off"
            : Array.Find(Needed, n => (seen & (1u << (n.Tag & ~FieldWriter.Mandatory))) == 0).Name is { } missing ? $"no {missing}"
            : parts.Numbers.EstablishedAt == 0 ? "not established"
            : "";
        return fault.Length == 0 ? parts.ToRecord() : null;
    }

    private void Write(FieldWriter writer)
    {
        int field = writer.Begin(NumbersTag);
        writer.Long((long)Id);
        writer.Long(Generation);
        writer.Long(AcceptedAt.Ticks);
        writer.Long(ConnectStartedAt.Ticks);
        writer.Long(EstablishedAt.Ticks);
        writer.Long(LastActivity.Ticks);
        writer.Long(BytesToBackend);
        writer.Long(BytesToClient);
        writer.Long(Attempts);
        writer.End(field);
        WriteText(writer, ListenerTag, Listener);
        WriteText(writer, PoolTag, Pool);
        field = writer.Begin(BackendTag);
        writer.Text(Backend);
        writer.Text(BackendAddress);
        writer.Flag(Destination is not null);
        writer.Endpoint(Destination ?? default);
        writer.End(field);
        field = writer.Begin(AddressesTag);
        writer.Endpoint(Tuple.Source);
        writer.Endpoint(Tuple.Destination);
        writer.Endpoint(LocalEndpoint);
        writer.End(field);
        field = writer.Begin(EndTag);
        writer.Byte((byte)End.Sides);
        writer.Long(End.AcknowledgedAt.Ticks);
        writer.Long(End.AgeSlot.Ticks);
        writer.End(field);
        if (Route.Length > 0 || Rule is { Length: > 0 })
        {
            field = writer.Begin(RouteTag);
            writer.Text(Route);
            writer.Text(Rule);
            writer.End(field);
        }

        WriteOptional(writer);
    }

    private void WriteOptional(FieldWriter writer)
    {
        if (Names is not null)
        {
            int field = writer.Begin(NamesTag);
            writer.Text(Names.Sni);
            writer.Text(Names.Host);
            writer.Text(Names.Key);
            writer.End(field);
        }

        if (StickyHash is { } hash)
        {
            int field = writer.Begin(StickyTag);
            writer.Long((long)hash.High);
            writer.Long((long)hash.Low);
            writer.End(field);
        }

        if (HasClientPlace is { } has)
        {
            int field = writer.Begin(ClientPlaceTag);
            writer.Flag(has);
            writer.End(field);
        }

        if (PortSource != PortSource.Unknown)
        {
            int field = writer.Begin(PortTag);
            writer.Byte((byte)PortSource);
            writer.End(field);
        }

        if (Policy is not null)
        {
            int field = writer.Begin(PolicyTag);
            writer.Long(Policy.IdleTimeout.Ticks);
            writer.Long(Policy.HalfCloseTimeout.Ticks);
            writer.Long(Policy.MaxAge.Ticks);
            writer.Long(Policy.CloseRate);
            writer.Long(Policy.Keepalive.Idle.Ticks);
            writer.Long(Policy.Keepalive.Interval.Ticks);
            writer.Long(Policy.Keepalive.Count);
            writer.Long(Policy.Passive.Failures);
            writer.Long(Policy.Passive.EarlyClose.Ticks);
            writer.Long(Policy.Passive.Retry.Ticks);
            writer.End(field);
        }
    }

    private static void WriteText(FieldWriter writer, ushort tag, string text)
    {
        int field = writer.Begin(tag);
        writer.Text(text);
        writer.End(field);
    }
}
