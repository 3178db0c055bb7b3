using System.Buffers.Binary;
using System.Net;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Packets;

namespace L4Balancer.Engine.Tests.Packets;

/// <summary>A packet program with one pool behind an IPv4 and an IPv6 address, run by BPF_PROG_TEST_RUN. Skips the test where it may not be loaded.</summary>
[SupportedOSPlatform("linux")]
internal sealed class PacketScene : IDisposable
{
    public const byte Syn = 2;
    public const byte Ack = 16;

    /// <summary>XDP_REDIRECT: where the test's own host forwards, the kernel may know another way to a backend.</summary>
    private const int Redirected = 4;

    private const int FirstNumber = 20;
    private const int Pool = 1;

    private readonly byte[] _result = new byte[4096];
    private readonly int _program;

    /// <param name="tunnels">To the backends in turn; null: a backend is on the segment.</param>
    public PacketScene(PacketHook hook, int members, ServiceFlags flags, int flows, bool secondChance, int syns, params PacketTunnel?[] tunnels)
    {
        Hook = hook;
        Limits = new PacketLimits(16, 4, 128, flows, new ChoiceTable(65537, 128)) { SecondChance = secondChance, SynsPerSecond = syns };
        PacketMaps? maps = PacketMaps.TryCreate(Limits, out Errno fault);
        if (fault is Errno.EPERM or Errno.ENOSYS)
        {
            Assert.Ignore($"bpf(2): {fault}: needs CAP_BPF and CAP_NET_ADMIN");
        }

        Assert.That(fault, Is.EqualTo(Errno.None));
        Maps = maps!;
        SysResult program = Bpf.Load(hook.ProgramType, PacketProgram.Assemble(Maps, hook), out string log);
        Assert.That(program.IsError, Is.False, () => program + log[Math.Max(0, log.Length - 3000)..]);
        _program = program.Value;
        var random = new Random(members);
        Members = [.. Enumerable.Range(0, members).Select(i => new RingMember(i, $"10.0.0.{i}:443", random.Next(1, 500)))];
        for (int i = 0; i < members; i++)
        {
            Set(i, tunnels.Length > 0 ? tunnels[i % tunnels.Length] : null);
        }

        Table = Publish(_ => true);
        foreach (Endpoint service in new[] { Four, Six })
        {
            Assert.That(Maps.SetService(service, Pool, flags), Is.EqualTo(Errno.None));
            Assert.That(Maps.SetService(new Endpoint(service.Address, 0), Pool, flags), Is.EqualTo(Errno.None));
        }
    }

    public static Endpoint Four { get; } = Packets.At("192.0.2.10:443");

    public static Endpoint Six { get; } = Packets.At("[2001:db8::10]:443");

    public PacketHook Hook { get; }

    public PacketLimits Limits { get; }

    public PacketMaps Maps { get; }

    public RingMember[] Members { get; }

    public FlatTable Table { get; private set; }

    public static ulong MacOf(int member) => 0x020000000100UL + (ulong)member;

    public static Endpoint Client(Random random, bool isSix)
    {
        byte[] address = new byte[isSix ? 16 : 4];
        random.NextBytes(address);
        address[0] = isSix ? (byte)0x20 : (byte)10;
        return Packets.At(new IPEndPoint(new IPAddress(address), random.Next(1024, 65536)).ToString());
    }

    public void Set(int member, PacketTunnel? tunnel) =>
        Assert.That(Maps.SetBackend(FirstNumber + member, new PacketBackend(true, MacOf(member), 0x020000000001, tunnel)), Is.EqualTo(Errno.None));

    /// <summary>Makes another set of members available.</summary>
    public FlatTable Publish(Func<int, bool> takes)
    {
        if (Limits.SecondChance && Table is not null)
        {
            Assert.That(Maps.SetPrevious(Pool, Write(Table)), Is.EqualTo(Errno.None));
        }

        Table = FlatTable.Build(Members, takes);
        Assert.That(Maps.SetTable(Pool, Write(Table)), Is.EqualTo(Errno.None));
        return Table;
    }

    public int Expected(Endpoint client, Endpoint service, bool bySource = false)
    {
        byte[] key = new byte[KeyHashCode.TupleLength];
        client.Address.WriteTo(key);
        BinaryPrimitives.WriteUInt16BigEndian(key.AsSpan(16), client.Port);
        service.Address.WriteTo(key.AsSpan(18));
        BinaryPrimitives.WriteUInt16BigEndian(key.AsSpan(34), service.Port);
        return Table.Pick(new RouteKey(key.AsSpan(0, bySource ? KeyHashCode.AddressLength : KeyHashCode.TupleLength)));
    }

    /// <summary>The verdict in XDP's numbers, and the packet as it was left, until the next run.</summary>
    public int Run(ReadOnlySpan<byte> packet, out ReadOnlySpan<byte> left)
    {
        Errno error = Bpf.Run(_program, packet, _result, 1, out ProgramRun run);
        if (error != Errno.None)
        {
            Assert.Fail($"{error}");
        }

        left = _result.AsSpan(0, run.Length);
        return run.Verdict == Hook.SentBack || (Hook.IsXdp && run.Verdict == Redirected) ? PacketProgram.SentBack
            : run.Verdict == Hook.Passed ? PacketProgram.Passed
            : run.Verdict == Hook.Dropped ? PacketProgram.Dropped
            : 100 + run.Verdict;
    }

    /// <summary>The mean time of a run in nanoseconds. A packet that grows is run once at a time, as the next run would find it larger.</summary>
    public int Time(ReadOnlySpan<byte> packet, bool grows)
    {
        ProgramRun run = default;
        if (!grows)
        {
            _ = Bpf.Run(_program, packet, _result, 200_000, out run);
            return run.Nanoseconds;
        }

        List<int> times = [];
        for (int i = 0; i < 2_000; i++)
        {
            _ = Bpf.Run(_program, packet, _result, 1, out run);
            times.Add(run.Nanoseconds);
        }

        times.Sort();
        return times[times.Count / 2];
    }

    public void Dispose()
    {
        TcpSocket.Close(_program);
        Maps.Dispose();
    }

    private byte[] Write(FlatTable table) =>
        Limits.Table.Write(table.Owners, [.. table.Available], [.. Enumerable.Range(FirstNumber, Members.Length)]);
}
