using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Handover;
using L4Balancer.Core.Routing;
using L4Balancer.Core.Timing;

namespace L4Balancer.Fuzz.Targets;

/// <summary>
/// What another process hands over: the first byte says whether the rest is a record, an image, a preparation or orders. Whatever it contains is
/// answered; what is read is written as bytes that are read as the same; and a record that is read can be gone on with.
/// </summary>
internal sealed class HandoverTarget : FuzzTarget
{
    private static readonly Instant Now = new(TimeSpan.TicksPerDay);
    private static readonly PoolSettings Pool = new()
    {
        Name = "chat",
        Sticky = new StickySettings { Ttl = TimeSpan.FromMinutes(1), Entries = 100 },
        Backends = [new BackendSettings { Name = "ws1", Address = "10.0.0.1:443", Endpoint = At("10.0.0.1:443") }],
    };

    private static readonly DesiredState Desired = new(
        new BalancerConfig { Listeners = [new ListenerSettings { Name = "wss", Bind = [At("127.0.0.1:80")], Pool = "chat" }], Pools = [Pool] }, 100);

    public override string Name => "handover";

    public override int Longest => 4096;

    public override IReadOnlyList<byte[]> Fragments { get; } =
    [
        [0], [1], [2], [128], [0, 0, 0, 0], [255, 255, 255, 255], [255, 255, 255, 127], [4, 0, 0, 0], .. Texts.Of("chat", "ws1", "wss", "10.0.0.1:443", "/run/a.sock"),
    ];

    public override IEnumerable<byte[]> Seeds()
    {
        RoutingSnapshot snapshot = RoutingSnapshot.Build(Desired);
        snapshot.Listeners[0].State.CountAccepted();
        snapshot.Pools[0].Backends[0].State.CountConnectAttempt();
        CarriedRecord record = Record();
        return
        [
            [0, .. record.ToBytes()],
            [0, .. (record with { Pool = "gone", Listener = "gone", Destination = Endpoint.OfUnix("/run/a.sock"), StickyHash = (1, 2) }).ToBytes()],
            [1, .. new BalancerImage([]).Capture(snapshot, Now)],
            [2, .. Preparation.Of(Desired, [], [], [("chat", "ws1", Now)]).ToBytes()],
            [3, .. CarriedShed.ToBytes([new CarriedShed(ShedKind.Backend) { Pool = "chat", Backend = "ws1", Reason = CloseReason.Drain }])],
        ];
    }

    public override bool Run(byte[] bytes)
    {
        if (bytes.Length == 0)
        {
            return false;
        }

        ReadOnlySpan<byte> rest = bytes.AsSpan(1);
        return (bytes[0] % 4) switch
        {
            0 => RunRecord(rest),
            1 => RunImage(rest),
            2 => RunPreparation(rest),
            _ => RunSheds(rest),
        };
    }

    private static bool RunRecord(ReadOnlySpan<byte> bytes)
    {
        if (CarriedRecord.Read(bytes, out string fault) is not { } record)
        {
            Finding.Unless(fault.Length > 0, "refused without a reason");
            return false;
        }

        Finding.Unless(CarriedRecord.Read(record.ToBytes(), out _) == record, "written and read again, it is another");
        RoutingSnapshot snapshot = RoutingSnapshot.Build(Desired);
        var survivors = new Survivors(1);
        (ConnectionRecord revived, ConnectionEnd end) = record.Revive(snapshot, survivors);
        revived.Join(snapshot.State);
        Finding.Unless(revived.Backend!.PoolState == revived.Pool && revived.Backend.Active == 1, "the pool of the backend counts it");
        Finding.Unless(!end.HasCause && revived.IsHalfClosed == end.IsHalfClosed, "it has a cause to end");
        end.NextDeadline(revived, record.LastActivity);
        snapshot = survivors.JoinTo(snapshot);
        revived.Close(snapshot.State, CloseReason.ClientClosed, wasFirst: true, Now);
        Finding.Unless(snapshot.State.Open == 0 && revived.Pool.Active == 0 && revived.Listener.Open == 0, "it left a count behind");
        RoutingSnapshot.Build(Desired, snapshot);
        return true;
    }

    private static bool RunImage(ReadOnlySpan<byte> bytes)
    {
        RoutingSnapshot snapshot = RoutingSnapshot.Build(Desired);
        var survivors = new Survivors(1);
        bool isAdded = new BalancerImage([]).TryAdd(bytes, snapshot, survivors, Now, out string fault);
        Finding.Unless(isAdded == (fault.Length == 0), "refused without a reason, or added with one");
        Finding.Unless(isAdded || (survivors.Made == 0 && snapshot.State.LastId == 0), "refused, and something was added");
        if (isAdded)
        {
            snapshot = survivors.JoinTo(snapshot);
            byte[] again = new BalancerImage([]).Capture(snapshot, Now);
            Finding.Unless(new BalancerImage([]).TryAdd(again, RoutingSnapshot.Build(Desired), new Survivors(1), Now, out fault), $"written again, {fault}");
            snapshot.State.NextId();
        }

        return isAdded;
    }

    private static bool RunPreparation(ReadOnlySpan<byte> bytes)
    {
        if (Preparation.Read(bytes, out string fault) is not { } read)
        {
            Finding.Unless(fault.Length > 0, "refused without a reason");
            return false;
        }

        byte[] written = read.ToBytes();
        Finding.Unless(Preparation.Read(written, out fault)?.ToBytes().AsSpan().SequenceEqual(written) == true, $"written and read again, it is another: {fault}");
        RoutingSnapshot snapshot = RoutingSnapshot.Build(Desired with { Overrides = read.OverridesFor(Desired.File), Names = read.Resolutions });
        HealthBoard.Mark(snapshot, read.Health);
        new HealthBoard { Carried = read.Health }.Sync(snapshot, Now);
        return true;
    }

    private static bool RunSheds(ReadOnlySpan<byte> bytes)
    {
        IReadOnlyList<CarriedShed> sheds = CarriedShed.Read(bytes, out _);
        Finding.Unless(CarriedShed.Read(CarriedShed.ToBytes(sheds), out int left).Count == sheds.Count && left == 0, "written and read again, there are others");
        return sheds.Count > 0;
    }

    private static Endpoint At(string text) => Endpoint.TryParse(text, out Endpoint endpoint) ? endpoint : throw new FormatException(text);

    private static CarriedRecord Record() => new()
    {
        Id = 5,
        Listener = "wss",
        Pool = "chat",
        Backend = "ws1",
        BackendAddress = "10.0.0.1:443",
        Route = "1",
        Rule = "sni a",
        Tuple = new FourTuple(At("203.0.113.9:50000"), At("127.0.0.1:80")),
        LocalEndpoint = At("10.0.0.100:40001"),
        PortSource = PortSource.Automatic,
        Names = new ClientNames("a", "b", "c"),
        AcceptedAt = new Instant(1),
        EstablishedAt = new Instant(2),
        End = new EndState(FinishedSides.Backend | FinishedSides.BackendWasFirst),
        HasClientPlace = true,
        Policy = new ConnectionPolicy(TimeSpan.FromHours(1), TimeSpan.FromMinutes(1), TimeSpan.Zero, 0, new KeepaliveSettings(), new PassiveSettings()),
    };
}
