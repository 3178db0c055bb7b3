using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using L4Balancer.Core.Balancing;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Packets;

namespace L4Balancer.Engine.Tests.Packets;

/// <summary>
/// The choice in BPF is that of Core, for every key: run in the kernel by BPF_PROG_TEST_RUN on packets that hold a key and take the member.
/// </summary>
[TestFixture]
[SupportedOSPlatform("linux")]
internal sealed class ChoiceCodeTests
{
    private const int Aborted = 0;
    private const int Sent = 3;
    private const int PacketLength = 64;

    [TestCase(KeyHashCode.TupleLength, 8, 0)]
    [TestCase(KeyHashCode.TupleLength, 8, 3)]
    [TestCase(KeyHashCode.TupleLength, 100, 97)]
    [TestCase(KeyHashCode.TupleLength, 600, 599)]
    [TestCase(KeyHashCode.AddressLength, 8, 3)]
    [TestCase(KeyHashCode.AddressLength, 600, 590)]
    public void Member_is_that_of_Core(int length, int members, int down)
    {
        var random = new Random((members * 1000) + down);
        RingMember[] all = [.. Enumerable.Range(0, members).Select(i => new RingMember(i, $"10.0.{i / 250}.{i % 250}:80", random.Next(1, 1000)))];
        HashSet<int> unavailable = [.. all.Select(m => m.Index).OrderBy(_ => random.Next()).Take(down)];
        FlatTable table = FlatTable.Build(all, i => !unavailable.Contains(i));
        using var program = new ChoiceProgram(length, table, new ChoiceTable(65537, 1024));
        byte[] packet = new byte[PacketLength];
        for (int i = 0; i < 5_000; i++)
        {
            random.NextBytes(packet);
            int expected = table.Pick(new RouteKey(packet.AsSpan(0, length)));
            Assert.That(program.Choose(packet), Is.EqualTo(expected), $"key {Convert.ToHexString(packet.AsSpan(0, length))}");
        }

        program.Choose(packet, out ProgramRun run, repeat: 100_000);
        TestContext.Out.WriteLine($"{members} members, {down} of them down, key of {length} bytes: {run.Nanoseconds} ns");
    }

    [TestCase(KeyHashCode.TupleLength, 8, 0, 1.0)]
    [TestCase(KeyHashCode.TupleLength, 8, 3, 0.01)]
    [TestCase(KeyHashCode.TupleLength, 3, 0, 0.0)]
    [TestCase(KeyHashCode.TupleLength, 600, 590, 0.1)]
    [TestCase(KeyHashCode.AddressLength, 100, 97, 0.02)]
    [TestCase(KeyHashCode.AddressLength, 1024, 500, 0.0001)]
    public void Member_is_that_of_Core_in_slow_start(int length, int members, int down, double most)
    {
        var random = new Random((members * 1000) + down);
        RingMember[] all = [.. Enumerable.Range(0, members).Select(i => new RingMember(i, $"10.0.{i / 250}.{i % 250}:80", random.Next(1, 1000)))];
        HashSet<int> unavailable = [.. all.Select(m => m.Index).OrderBy(_ => random.Next()).Take(down)];
        ImmutableArray<ulong> ramps =
            [.. all.Select((_, i) => i % 3 == 0 && most == 1.0 ? ulong.MaxValue : (ulong)(random.NextDouble() * most * ulong.MaxValue))];
        FlatTable table = FlatTable.Build(all, i => !unavailable.Contains(i), ramps);
        using var program = new ChoiceProgram(length, table, new ChoiceTable(131_071, 1024));
        byte[] packet = new byte[PacketLength];
        for (int i = 0; i < 2_000; i++)
        {
            random.NextBytes(packet);
            int expected = table.Pick(new RouteKey(packet.AsSpan(0, length)));
            Assert.That(program.Choose(packet), Is.EqualTo(expected), $"key {Convert.ToHexString(packet.AsSpan(0, length))}");
        }

        program.Choose(packet, out ProgramRun run, repeat: 10_000);
        TestContext.Out.WriteLine($"{members} members, {down} of them down, shares up to {most}: {run.Nanoseconds} ns");
    }

    [Test]
    public void Without_an_available_member_there_is_no_choice()
    {
        FlatTable table = FlatTable.Build([new RingMember(0, "10.0.0.1:80", 100)], _ => false);
        using var program = new ChoiceProgram(KeyHashCode.TupleLength, table, new ChoiceTable(65537, 1024));
        Assert.That(program.Choose(new byte[PacketLength]), Is.EqualTo(HashPicker.None));
    }

    /// <summary>Reads a key from the start of a packet, and writes the member over it.</summary>
    private sealed class ChoiceProgram : IDisposable
    {
        private const short KeyAt = -40;

        private readonly int _map;
        private readonly int _program;

        public ChoiceProgram(int length, FlatTable table, ChoiceTable layout)
        {
            SysResult map = Bpf.CreateMap(Libc.BPF_MAP_TYPE_ARRAY, sizeof(int), layout.Length, 1);
            if (map.Errno is Errno.EPERM or Errno.ENOSYS)
            {
                Assert.Ignore($"bpf(2): {map.Errno}: needs CAP_BPF and CAP_NET_ADMIN");
            }

            Assert.That(map.IsError, Is.False, map.ToString());
            _map = map.Value;
            byte[] value = layout.Write(table.Owners, [.. table.Available], [], table.Ramps.AsSpan());
            Assert.That(Bpf.Update(_map, new byte[sizeof(int)], value), Is.EqualTo(Errno.None));
            SysResult program = Bpf.Load(Libc.BPF_PROG_TYPE_XDP, Assemble(length, layout), out string log);
            Assert.That(program.IsError, Is.False, () => log.Length > 3000 ? log[..1500] + "\n...\n" + log[^1500..] : log);
            _program = program.Value;
        }

        public int Choose(byte[] packet) => Choose(packet, out _, repeat: 1);

        public int Choose(byte[] packet, out ProgramRun run, int repeat)
        {
            byte[] result = new byte[PacketLength];
            Assert.That(Bpf.Run(_program, packet, result, repeat, out run), Is.EqualTo(Errno.None));
            return run.Verdict == Aborted ? HashPicker.None : MemoryMarshal.Read<int>(result);
        }

        public void Dispose()
        {
            TcpSocket.Close(_program);
            TcpSocket.Close(_map);
        }

        private ulong[] Assemble(int length, ChoiceTable layout)
        {
            var code = new BpfAssembler();
            Label none = new();
            code.Move(Register.R9, Register.R1);
            code.LoadFrom(Width.Word, Register.R2, Register.R1, 0);
            code.LoadFrom(Width.Word, Register.R3, Register.R1, 4);
            code.Move(Register.R4, Register.R2);
            code.Add(Register.R4, length);
            code.JumpIf(Condition.Greater, Register.R4, Register.R3, none);
            for (int i = 0; i < length; i += sizeof(int))
            {
                code.LoadFrom(Width.Word, Register.R4, Register.R2, (short)i);
                code.Store(Width.Word, Register.R10, (short)(KeyAt + i), Register.R4);
            }

            code.Store(Width.Word, Register.R10, -48, 0);
            code.MoveMap(Register.R1, _map);
            code.Move(Register.R2, Register.R10);
            code.Add(Register.R2, -48);
            code.Call(Helper.MapLookup);
            code.JumpIf(Condition.Equal, Register.R0, 0, none);
            code.Move(Register.R7, Register.R0);
            ChoiceCode.Emit(code, KeyAt, length, layout, none);
            code.LoadFrom(Width.Word, Register.R2, Register.R9, 0);
            code.LoadFrom(Width.Word, Register.R3, Register.R9, 4);
            code.Move(Register.R4, Register.R2);
            code.Add(Register.R4, sizeof(int));
            code.JumpIf(Condition.Greater, Register.R4, Register.R3, none);
            code.Store(Width.Word, Register.R2, 0, Register.R0);
            code.Move(Register.R0, Sent);
            code.Exit();
            code.Mark(none);
            code.Move(Register.R0, Aborted);
            code.Exit();
            return code.ToProgram();
        }
    }
}
