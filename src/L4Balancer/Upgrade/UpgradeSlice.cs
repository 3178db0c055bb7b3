using L4Balancer.Core.Timing;
using L4Balancer.Engine;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Upgrade;

/// <summary>One connection of a <see cref="UpgradeSlice"/>.</summary>
/// <param name="Id">Its id, which it keeps.</param>
/// <param name="Record">What is known of it (<c>L4Balancer.Core.Handover.CarriedRecord</c>).</param>
internal sealed record UpgradeConnection(ulong Id, ReadOnlyMemory<byte> Record)
{
    /// <summary>Its client's socket, and its backend's.</summary>
    public int Client { get; init; } = -1;

    public int Backend { get; init; } = -1;

    public bool ClientIsUnix { get; init; }

    public Instant LastActivity { get; init; }

    /// <summary>Bytes that were read and not yet written.</summary>
    public ReadOnlyMemory<byte> ToBackend { get; init; }

    public ReadOnlyMemory<byte> ToClient { get; init; }

    /// <summary>Pipes that hold such bytes; null: none does.</summary>
    public ExportedPipe? PipeToBackend { get; init; }

    public ExportedPipe? PipeToClient { get; init; }

    /// <summary>SO_COOKIE of both sockets: a descriptor that came in the wrong place is recognized.</summary>
    public ulong ClientCookie { get; init; }

    public ulong BackendCookie { get; init; }

    /// <summary>In the order in which they are sent.</summary>
    public IEnumerable<int> Descriptors
    {
        get
        {
            yield return Client;
            yield return Backend;
            foreach (ExportedPipe? pipe in new[] { PipeToBackend, PipeToClient })
            {
                if (pipe is { } p)
                {
                    yield return p.ReadEnd;
                    yield return p.WriteEnd;
                }
            }
        }
    }

    public ReadOnlySpan<byte> Write()
    {
        UpgradeFieldWriter fields = new UpgradeFieldWriter()
            .Add(1, (long)Id).Add(2, Record.Span).Add(3, ClientIsUnix ? 1 : 0).Add(4, LastActivity.Ticks)
            .Add(5, (long)ClientCookie).Add(6, (long)BackendCookie);
        AddBytes(fields, 7, ToBackend);
        AddBytes(fields, 8, ToClient);
        AddPipe(fields, 9, PipeToBackend);
        AddPipe(fields, 10, PipeToClient);
        return fields.Written.Span;
    }

    /// <param name="descriptors">Its own.</param>
    /// <exception cref="UpgradeException">It cannot be read; the descriptors remain the caller's.</exception>
    public static UpgradeConnection Read(ReadOnlySpan<byte> bytes, ReadOnlySpan<int> descriptors)
    {
        var read = new UpgradeConnection(0, default);
        (bool toBackend, bool toClient) = (false, false);
        var fields = new UpgradeFieldReader(bytes);
        while (fields.Next())
        {
            switch (fields.Tag)
            {
                case 1: read = read with { Id = (ulong)fields.Number() }; break;
                case 2: read = read with { Record = fields.Value.ToArray() }; break;
                case 3: read = read with { ClientIsUnix = fields.Number() != 0 }; break;
                case 4: read = read with { LastActivity = new Instant(fields.Number()) }; break;
                case 5: read = read with { ClientCookie = (ulong)fields.Number() }; break;
                case 6: read = read with { BackendCookie = (ulong)fields.Number() }; break;
                case UpgradeFieldWriter.Mandatory | 7: read = read with { ToBackend = fields.Value.ToArray() }; break;
                case UpgradeFieldWriter.Mandatory | 8: read = read with { ToClient = fields.Value.ToArray() }; break;
                case UpgradeFieldWriter.Mandatory | 9: (read, toBackend) = (read with { PipeToBackend = PipeOf(fields.Value) }, true); break;
                case UpgradeFieldWriter.Mandatory | 10: (read, toClient) = (read with { PipeToClient = PipeOf(fields.Value) }, true); break;
                default: fields.Pass(); break;
            }
        }

        if (descriptors.Length != 2 + (toBackend ? 2 : 0) + (toClient ? 2 : 0))
        {
            throw new UpgradeException($"connection {read.Id} came with {descriptors.Length} descriptors, which are not all of its own");
        }

        read = read with { Client = descriptors[0], Backend = descriptors[1] };
        descriptors = descriptors[2..];
        if (toBackend)
        {
            read = read with { PipeToBackend = read.PipeToBackend!.Value with { ReadEnd = descriptors[0], WriteEnd = descriptors[1] } };
            descriptors = descriptors[2..];
        }

        return toClient
            ? read with { PipeToClient = read.PipeToClient!.Value with { ReadEnd = descriptors[0], WriteEnd = descriptors[1] } } : read;
    }

    private static void AddBytes(UpgradeFieldWriter fields, ushort tag, ReadOnlyMemory<byte> bytes)
    {
        if (!bytes.IsEmpty)
        {
            fields.Add((ushort)(tag | UpgradeFieldWriter.Mandatory), bytes.Span);
        }
    }

    private static void AddPipe(UpgradeFieldWriter fields, ushort tag, ExportedPipe? pipe)
    {
        if (pipe is { } p)
        {
            fields.Add(
                (ushort)(tag | UpgradeFieldWriter.Mandatory), new UpgradeFieldWriter().Add(1, p.Capacity).Add(2, p.Held).Written.Span);
        }
    }

    private static ExportedPipe PipeOf(ReadOnlySpan<byte> bytes)
    {
        (int capacity, int held) = (0, 0);
        var fields = new UpgradeFieldReader(bytes);
        while (fields.Next())
        {
            switch (fields.Tag)
            {
                case 1: capacity = fields.Count(); break;
                case 2: held = fields.Count(); break;
                default: fields.Pass(); break;
            }
        }

        return new ExportedPipe(-1, -1, capacity, held);
    }
}

/// <summary>Connections that stand still in the old process until the new one has answered.</summary>
/// <param name="Number">Counts from 1.</param>
/// <param name="Frozen">When they were frozen: the clock is the same for every process of the machine (CLOCK_MONOTONIC).</param>
/// <param name="Open">Connections that the old process has, these included; for the progress.</param>
internal sealed record UpgradeSlice(int Number, Instant Frozen, int Open, IReadOnlyList<UpgradeConnection> Connections)
{
    /// <summary>In the order in which they are sent beside it.</summary>
    public IReadOnlyList<int> Descriptors => [.. Connections.SelectMany(static c => c.Descriptors)];

    public ReadOnlyMemory<byte> Write()
    {
        UpgradeFieldWriter fields = new UpgradeFieldWriter().Add(1, Number).Add(2, Frozen.Ticks).Add(3, Open);
        foreach (UpgradeConnection connection in Connections)
        {
            fields.Add(5, connection.Descriptors.Count()).Add(4, connection.Write());
        }

        return fields.Written;
    }

    /// <summary>Closes descriptors that nobody needs any more, by close(2) only: their sockets live on where they are also open.</summary>
    public static void Close(IEnumerable<int> descriptors)
    {
        if (OperatingSystem.IsLinux())
        {
            foreach (int descriptor in descriptors.Where(static d => d >= 0))
            {
                PacketPair.Close(descriptor);
            }
        }
    }

    /// <summary>
    /// Takes the descriptors out of the message. A connection with a field that must be understood and is not is left out, and its descriptors
    /// with it; without descriptors (<see cref="UpgradeMessage.LacksDescriptors"/>) all are.
    /// </summary>
    /// <param name="refused">Why connections were left out; null: none was.</param>
    /// <exception cref="UpgradeException">It cannot be read.</exception>
    public static UpgradeSlice Read(UpgradeMessage message, out string? refused)
    {
        (int number, Instant frozen, int open, int count) = (0, default(Instant), 0, 0);
        List<(byte[] Bytes, int Descriptors)> connections = [];
        var fields = new UpgradeFieldReader(message.Body);
        while (fields.Next())
        {
            switch (fields.Tag)
            {
                case 1: number = fields.Count(); break;
                case 2: frozen = new Instant(fields.Number()); break;
                case 3: open = fields.Count(); break;
                case 4: connections.Add((fields.Value.ToArray(), count)); break;
                case 5: count = fields.Count(); break;
                default: fields.Pass(); break;
            }
        }

        if (message.LacksDescriptors)
        {
            refused = "the new process has no descriptors left";
            return new UpgradeSlice(number, frozen, open, []);
        }

        if (connections.Sum(static c => (long)c.Descriptors) != message.Descriptors)
        {
            throw new UpgradeException($"a slice came with {message.Descriptors} descriptors, which are not those of its connections");
        }

        refused = null;
        List<UpgradeConnection> read = [];
        Queue<int> left = new(message.TakeDescriptors());
        foreach ((byte[] bytes, int own) in connections)
        {
            int[] descriptors = [.. Enumerable.Range(0, own).Select(_ => left.Dequeue())];
            try
            {
                read.Add(UpgradeConnection.Read(bytes, descriptors));
            }
            catch (UpgradeException e)
            {
                refused = e.Message;
                Close(descriptors);
            }
        }

        return new UpgradeSlice(number, frozen, open, read);
    }
}
