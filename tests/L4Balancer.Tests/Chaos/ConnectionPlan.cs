namespace L4Balancer.Tests.Chaos;

/// <summary>What a client does.</summary>
internal enum ClientKind
{
    PingPong,
    BulkUp,
    BulkDown,
    BulkBoth,
    HalfCloseByClient,
    HalfCloseByBackend,
    Silent,
    ResetAtOnce,
    ResetMidStream,
    SlowReader,
    OneByteWriter,
    ConnectAndClose,
    Refused,
    Held,
}

/// <summary>When an end of a connection sends its FIN.</summary>
internal enum Finish
{
    /// <summary>Once its own bytes are sent.</summary>
    WhenSent,

    /// <summary>Once its own bytes are sent, and those of the peer have come.</summary>
    WhenAnswered,

    /// <summary>Once its own bytes are sent, and the peer's FIN has come.</summary>
    AfterPeer,
}

/// <summary>What one end of a connection does.</summary>
internal sealed record EndPlan
{
    /// <summary>Bytes that it sends.</summary>
    public long Sends { get; init; }

    /// <summary>Bytes that its peer sends.</summary>
    public long Expects { get; init; }

    /// <summary>Largest number of bytes of one write.</summary>
    public int Chunk { get; init; } = 64 * 1024;

    /// <summary>Longest time before a write.</summary>
    public TimeSpan Pause { get; init; }

    /// <summary>Sends nothing before the peer's FIN.</summary>
    public bool StartsAfterPeer { get; init; }

    /// <summary>Bytes of a round of ping-pong; 0: it is none.</summary>
    public int Round { get; init; }

    /// <summary>Sends the first round.</summary>
    public bool Leads { get; init; }

    public Finish Finish { get; init; }

    /// <summary>Time before the FIN.</summary>
    public TimeSpan Hold { get; init; }

    /// <summary>Reads nothing during <see cref="Hold"/>.</summary>
    public bool IsDeaf { get; init; }

    /// <summary>Bytes sent and received after which it resets the connection; 0: at once.</summary>
    public long ResetsAfter { get; init; } = long.MaxValue;

    /// <summary>Closes its socket at once, without reading.</summary>
    public bool ClosesAtOnce { get; init; }

    /// <summary>SO_RCVBUF; 0: the system's.</summary>
    public int ReceiveBuffer { get; init; }

    /// <summary>Bytes that it reads in small pieces with pauses, before it reads the rest at full speed.</summary>
    public long SlowBytes { get; init; }
}

/// <summary>What a connection is to be; it follows from the seed of the run and the number of the connection.</summary>
/// <param name="Listener">Where the client connects to.</param>
internal sealed record ConnectionPlan(ulong Number, ClientKind Kind, string Listener, EndPlan Client, EndPlan Backend)
{
    private const int Head = ByteStream.HeadSize;

    // In percent.
    private static readonly (ClientKind Kind, int Share)[] Mixture =
    [
        (ClientKind.PingPong, 17), (ClientKind.BulkUp, 8), (ClientKind.BulkDown, 9), (ClientKind.BulkBoth, 6),
        (ClientKind.HalfCloseByClient, 8), (ClientKind.HalfCloseByBackend, 8), (ClientKind.Silent, 5), (ClientKind.ResetAtOnce, 6),
        (ClientKind.ResetMidStream, 7), (ClientKind.SlowReader, 3), (ClientKind.OneByteWriter, 4), (ClientKind.ConnectAndClose, 5),
        (ClientKind.Refused, 10), (ClientKind.Held, 4),
    ];

    // While the daemon is being stopped: those that are still there when it is.
    private static readonly (ClientKind Kind, int Share)[] LastMixture =
    [
        (ClientKind.PingPong, 20), (ClientKind.BulkUp, 10), (ClientKind.BulkDown, 10), (ClientKind.BulkBoth, 10), (ClientKind.Silent, 15),
        (ClientKind.SlowReader, 10), (ClientKind.Refused, 5), (ClientKind.Held, 20),
    ];

    public static ConnectionPlan For(int seed, ulong number, bool isLast = false)
    {
        var random = new Random(HashCode(seed, number));
        ClientKind kind = Draw(random, isLast ? LastMixture : Mixture);
        string listener = kind == ClientKind.Refused ? Site.Refusing[random.Next(Site.Refusing.Count)]
            : random.Next(6) == 0 ? Site.Extra : Site.Main;
        (EndPlan client, EndPlan backend) = Ends(random, kind);
        return new ConnectionPlan(
            number, kind, listener, client with { Expects = backend.Sends }, backend with { Expects = client.Sends });
    }

    /// <summary>Whether the balancer may cut it for being quiet.</summary>
    public bool MayBeQuiet => Kind is ClientKind.Held or ClientKind.Silent;

    private static (EndPlan Client, EndPlan Backend) Ends(Random random, ClientKind kind)
    {
        switch (kind)
        {
            case ClientKind.PingPong:
                return PingPong(random.Next(1, 30), random.Next(Head, 20_000), TimeSpan.Zero);
            case ClientKind.Held:
                return PingPong(random.Next(3, 9), random.Next(Head, 2_000), TimeSpan.FromMilliseconds(random.Next(200, 1_500)));
            case ClientKind.BulkUp:
                return (
                    new EndPlan { Sends = Bulk(random) },
                    new EndPlan { Sends = random.Next(200), StartsAfterPeer = true });
            case ClientKind.BulkDown:
                return (new EndPlan { Sends = Head, Finish = Finish.AfterPeer }, new EndPlan { Sends = Bulk(random) });
            case ClientKind.BulkBoth:
                return (new EndPlan { Sends = Bulk(random) }, new EndPlan { Sends = Bulk(random) });
            case ClientKind.HalfCloseByClient:
                return (
                    new EndPlan { Sends = random.Next(Head, 10_000) },
                    new EndPlan
                    {
                        Sends = random.Next(1, 300_000),
                        Chunk = random.Next(5_000, 60_000),
                        StartsAfterPeer = true,
                        Pause = Short(random),
                    });
            case ClientKind.HalfCloseByBackend:
                return (
                    new EndPlan { Sends = random.Next(10_000, 300_000), Chunk = random.Next(5_000, 60_000), Pause = Short(random) },
                    new EndPlan { Sends = random.Next(0, 10_000) });
            case ClientKind.Silent:
                return (
                    new EndPlan { Hold = TimeSpan.FromMilliseconds(random.Next(100, 5_000)), IsDeaf = random.Next(2) == 0 },
                    new EndPlan { Finish = Finish.AfterPeer });
            case ClientKind.ResetAtOnce:
                long sent = random.Next(2) == 0 ? 0 : random.Next(Head, 50_000);
                return (new EndPlan { Sends = sent, ResetsAfter = sent }, new EndPlan { Sends = random.Next(2) * 50_000 });
            case ClientKind.ResetMidStream:
                return ResetMidStream(random);
            case ClientKind.SlowReader:
                return (
                    new EndPlan
                    {
                        Sends = Head,
                        Finish = Finish.AfterPeer,
                        ReceiveBuffer = 16 * 1024,
                        SlowBytes = random.Next(50_000, 250_000),
                    },
                    new EndPlan { Sends = random.Next(300_000, 2_000_000) });
            case ClientKind.OneByteWriter:
                return (
                    new EndPlan { Sends = random.Next(Head, 1_500), Chunk = 1 },
                    new EndPlan { Sends = random.Next(1, 300), Chunk = 1, Finish = Finish.AfterPeer });
            case ClientKind.ConnectAndClose:
                return (new EndPlan { ClosesAtOnce = true }, new EndPlan { Finish = Finish.AfterPeer });
            default:
                return (
                    new EndPlan
                    {
                        Sends = random.Next(2) == 0 ? 0 : random.Next(Head, 300_000),
                        Hold = TimeSpan.FromMilliseconds(random.Next(1_500)),
                    },
                    new EndPlan { Sends = random.Next(1_000), StartsAfterPeer = true });
        }
    }

    private static (EndPlan Client, EndPlan Backend) PingPong(int rounds, int size, TimeSpan pause)
    {
        long all = (long)rounds * size;
        return (
            new EndPlan { Sends = all, Round = size, Leads = true, Chunk = size, Pause = pause, Finish = Finish.WhenAnswered },
            new EndPlan { Sends = all, Round = size, Chunk = size, Finish = Finish.AfterPeer });
    }

    private static (EndPlan Client, EndPlan Backend) ResetMidStream(Random random)
    {
        var client = new EndPlan { Sends = Bulk(random), Chunk = random.Next(1_000, 64_000) };
        var backend = new EndPlan { Sends = Bulk(random), Chunk = random.Next(1_000, 64_000) };
        long after = random.NextInt64(1, client.Sends + backend.Sends);
        return random.Next(2) == 0 ? (client with { ResetsAfter = after }, backend) : (client, backend with { ResetsAfter = after });
    }

    // 32 KiB to 6 MiB, the small ones as frequent as the large ones.
    private static long Bulk(Random random) => random.Next(32, 96) * 1024L << random.Next(7);

    private static TimeSpan Short(Random random) => TimeSpan.FromMilliseconds(random.Next(3) == 0 ? random.Next(1, 60) : 0);

    private static ClientKind Draw(Random random, (ClientKind Kind, int Share)[] mixture)
    {
        int at = random.Next(mixture.Sum(m => m.Share));
        return mixture.First(m => (at -= m.Share) < 0).Kind;
    }

    // The same in every process, unlike System.HashCode.
    private static int HashCode(int seed, ulong number) => unchecked((int)(((ulong)(uint)seed * 2_654_435_761UL) + (number * 40_503UL)));
}
