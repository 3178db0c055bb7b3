using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Core.Tests.Handover;

/// <summary>Records with every value set, and records of chance.</summary>
internal static class Samples
{
    public static CarriedRecord Full { get; } = new()
    {
        Id = 0x1122_3344_5566_7788,
        Listener = "wss",
        Pool = "chat",
        Backend = "ws1",
        BackendAddress = "10.0.0.1:443",
        Destination = At("10.0.0.1:443"),
        Route = "2",
        Rule = "sni *.chat.example.com",
        Tuple = new FourTuple(At("203.0.113.9:50000"), At("[2001:db8::1]:443")),
        LocalEndpoint = At("10.0.0.100:40001"),
        PortSource = PortSource.Named,
        Names = new ClientNames("a.chat.example.com", null, "clé"),
        AcceptedAt = new Instant(1_000_000),
        ConnectStartedAt = new Instant(2_000_000),
        EstablishedAt = new Instant(3_000_000),
        LastActivity = new Instant(4_000_000),
        Attempts = 2,
        Generation = 7,
        BytesToBackend = 123_456,
        BytesToClient = 7_654_321,
        End = new EndState(
            FinishedSides.Client | FinishedSides.PassedToBackend | FinishedSides.FirstAtBackend, new Instant(3_500_000), new Instant(9_000_000)),
        StickyHash = (0x0102_0304_0506_0708, 0xF1F2_F3F4_F5F6_F7F8),
        HasClientPlace = true,
        Policy = new ConnectionPolicy(
            TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(1), TimeSpan.FromHours(12), 50,
            new KeepaliveSettings { Idle = TimeSpan.FromSeconds(30), Interval = TimeSpan.FromSeconds(5), Count = 4 },
            new PassiveSettings { Failures = 3, EarlyClose = TimeSpan.FromSeconds(2), Retry = TimeSpan.FromSeconds(7) }),
    };

    public static Endpoint At(string text) =>
        Endpoint.TryParse(text, out Endpoint endpoint) || Endpoint.TryParseUnix(text, out endpoint) ? endpoint : throw new FormatException(text);

    /// <summary>Any values, within what a process can have.</summary>
    public static CarriedRecord Random(Random random) => Full with
    {
        Id = (ulong)random.NextInt64(),
        Listener = Text(random),
        Pool = Text(random),
        Backend = Text(random),
        BackendAddress = Text(random),
        Destination = random.Next(2) == 0 ? null : Address(random),
        Route = Text(random),
        Rule = random.Next(2) == 0 ? null : Text(random) + "r",
        Tuple = new FourTuple(Address(random), Address(random)),
        LocalEndpoint = Address(random),
        PortSource = (PortSource)random.Next(4),
        Names = random.Next(2) == 0 ? null : new ClientNames(Text(random), null, Text(random)),
        AcceptedAt = new Instant(random.NextInt64()),
        ConnectStartedAt = new Instant(random.NextInt64()),
        EstablishedAt = new Instant(1 + (random.NextInt64() / 2)),
        LastActivity = new Instant(random.NextInt64()),
        Attempts = random.Next(),
        Generation = random.NextInt64(),
        BytesToBackend = random.NextInt64(),
        BytesToClient = random.NextInt64(),
        End = new EndState((FinishedSides)random.Next(64), new Instant(random.NextInt64()), new Instant(random.NextInt64())),
        StickyHash = random.Next(2) == 0 ? null : ((ulong)random.NextInt64(), (ulong)random.NextInt64()),
        HasClientPlace = random.Next(3) switch { 0 => null, 1 => false, _ => true },
        Policy = random.Next(2) == 0 ? null : Full.Policy! with { CloseRate = random.Next(), MaxAge = new TimeSpan(random.NextInt64()) },
    };

    private static string Text(Random random)
    {
        string[] parts = ["a", "-", "ü", "日", "\U0001F600", "0"];
        return string.Concat(Enumerable.Range(0, random.Next(20)).Select(_ => parts[random.Next(parts.Length)]));
    }

    private static Endpoint Address(Random random) => random.Next(4) switch
    {
        0 => Endpoint.OfUnix("/run/l4/test.sock"),
        1 => Endpoint.OfUnixClient((ushort)random.Next(65_536)),
        2 => new Endpoint(HostAddress.FromV4((uint)random.Next()), (ushort)random.Next(65_536)),
        _ => new Endpoint(new HostAddress((ulong)random.NextInt64(), (ulong)random.NextInt64()), (ushort)random.Next(65_536)),
    };
}
