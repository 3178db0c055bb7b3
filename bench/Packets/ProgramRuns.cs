using L4Balancer.Bench.Reports;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Balancing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Packets;

namespace L4Balancer.Bench.Packets;

/// <summary>What the program in the kernel costs for one kind of packet.</summary>
internal sealed record ProgramCost(string Name, Spread Nanoseconds, string? Fault = null);

/// <summary>
/// The packet program run by BPF_PROG_TEST_RUN, without a network: the mean of many runs on one packet. A packet that gets an outer header is run once at a
/// time, as the next run would find it larger; so is the first packet of a flow. These rows include the clock, about as much as the row "not ours, one run at
/// a time" shows.
/// </summary>
internal sealed class ProgramRuns : IDisposable
{
    private const int Rounds = 5;
    private const int Repeat = 1_000_000;
    private const int Single = 5_000;
    private const int Pool = 1;
    private const int FirstNumber = 20;
    private const int Members = 30;

    private static readonly Endpoint Service = At(0xC000_020A, 443);
    private static readonly Endpoint Foreign = At(0xC000_020B, 443);
    private static readonly Endpoint Client = At(0xC633_6401, 50_000);

    private readonly byte[] _result = new byte[4096];
    private readonly PacketMaps _maps;
    private readonly int _program;
    private uint _source;

    private ProgramRuns(PacketMaps maps, int program)
    {
        _maps = maps;
        _program = program;
    }

    public static IReadOnlyList<ProgramCost> Measure()
    {
        List<ProgramCost> costs = [];
        foreach (bool isTunnel in new[] { false, true })
        {
            foreach (ServiceFlags flags in new[] { ServiceFlags.None, ServiceFlags.Remembers })
            {
                string name = $"{(isTunnel ? "ipip" : "l2")}, {(flags == ServiceFlags.None ? "without" : "with")} flow table: ";
                using ProgramRuns? runs = TryLoad(isTunnel, flags, out string? fault);
                if (runs is null)
                {
                    costs.Add(new ProgramCost(name.TrimEnd(' ', ':'), default, fault));
                    continue;
                }

                costs.AddRange(runs.All(name, isTunnel, flags));
            }
        }

        return costs;
    }

    public void Dispose()
    {
        TcpSocket.Close(_program);
        _maps.Dispose();
    }

    private static ProgramRuns? TryLoad(bool isTunnel, ServiceFlags flags, out string? fault)
    {
        var limits = new PacketLimits(16, 4, 128, 1_000_000, new ChoiceTable(65537, 128)) { SynsPerSecond = 1_000_000_000 };
        PacketMaps? maps = PacketMaps.TryCreate(limits, out Errno errno);
        if (maps is null)
        {
            fault = $"bpf(2): {errno}: needs CAP_BPF and CAP_NET_ADMIN";
            return null;
        }

        SysResult program = Bpf.Load(PacketHook.Xdp.ProgramType, PacketProgram.Assemble(maps, PacketHook.Xdp), out string log);
        if (program.IsError)
        {
            maps.Dispose();
            fault = $"{program} {log.Trim().Split('\n')[^1]}";
            return null;
        }

        FlatTable table = FlatTable.Build([.. Enumerable.Range(0, Members).Select(static i => new RingMember(i, $"10.0.0.{i}:443", 100))], static i => i % 3 != 1);
        PacketTunnel? tunnel = isTunnel ? new PacketTunnel(At(0xC612_0063, 1).Address, At(0xC612_0001, 1).Address, 1500) : null;
        for (int i = 0; i < Members; i++)
        {
            errno = errno != Errno.None ? errno : maps.SetBackend(FirstNumber + i, new PacketBackend(true, 0x0200_0000_0100UL + (ulong)i, 0x0200_0000_0001, tunnel));
        }

        errno = errno != Errno.None ? errno
            : maps.SetTable(Pool, limits.Table.Write(table.Owners, [.. table.Available], [.. Enumerable.Range(FirstNumber, Members)]));
        errno = errno != Errno.None ? errno : maps.SetService(Service, Pool, flags);
        errno = errno != Errno.None ? errno : maps.SetService(new Endpoint(Service.Address, 0), Pool, flags);
        fault = errno == Errno.None ? null : $"bpf(2): {errno}";
        return new ProgramRuns(maps, program.Value);
    }

    private IEnumerable<ProgramCost> All(string name, bool isTunnel, ServiceFlags flags)
    {
        bool remembers = flags == ServiceFlags.Remembers;
        byte[] ours = Frame(Service, TcpFrame.Ack), foreign = Frame(Foreign, TcpFrame.Ack), syn = Frame(Service, TcpFrame.Syn);
        string known = remembers ? "known flow" : "a packet";
        if (isTunnel)
        {
            yield return new ProgramCost(name + known + ", one run at a time", Repeated(() => OneByOne(ours, changes: false)));
        }
        else
        {
            yield return new ProgramCost(name + known, Repeated(() => Many(ours)));
            if (remembers)
            {
                yield return new ProgramCost(name + "known flow, one run at a time", Repeated(() => OneByOne(ours, changes: false)));
            }
        }

        if (remembers)
        {
            yield return new ProgramCost(name + "new flow, one run at a time", Repeated(() => OneByOne(syn, changes: true)));
        }
        else if (!isTunnel)
        {
            yield return new ProgramCost("not ours, passed", Repeated(() => Many(foreign)));
            yield return new ProgramCost("not ours, passed, one run at a time", Repeated(() => OneByOne(foreign, changes: false)));
        }
    }

    private static Spread Repeated(Func<double> run) => Spread.Of(Enumerable.Range(0, Rounds).Select(_ => run()).ToArray());

    private double Many(byte[] frame)
    {
        _ = Bpf.Run(_program, frame, _result, Repeat, out ProgramRun run);
        return run.Nanoseconds;
    }

    // The median.
    private double OneByOne(byte[] frame, bool changes)
    {
        int[] times = new int[Single];
        for (int i = 0; i < Single; i++)
        {
            if (changes)
            {
                TcpFrame.SetSource(frame, 0x0A00_0000 | ++_source, Client.Port, 1);
            }

            _ = Bpf.Run(_program, frame, _result, 1, out ProgramRun run);
            times[i] = run.Nanoseconds;
        }

        Array.Sort(times);
        return times[Single / 2];
    }

    private static byte[] Frame(Endpoint destination, byte flags) => TcpFrame.Create(0x0200_0000_0001, 0x0200_0000_0009, Client, destination, flags);

    private static Endpoint At(uint address, ushort port) => new(HostAddress.FromV4(address), port);
}
