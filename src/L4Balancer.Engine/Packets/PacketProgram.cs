namespace L4Balancer.Engine.Packets;

/// <summary>
/// The program that forwards packets in the kernel: it reads the tuple (<see cref="ParseCode"/>), finds the virtual address, and sends the packet on to
/// the backend of its flow, or to the one that Core would choose (<see cref="ChoiceCode"/>). It holds no connection, and answers nothing.
/// Runs at the interface (<see cref="PacketHook"/>), before the kernel's own network stack.
/// </summary>
internal static class PacketProgram
{
    /// <summary>Verdicts of XDP (linux/bpf.h).</summary>
    public const int Dropped = 1;

    public const int Passed = 2;

    public const int SentBack = 3;

    private const int Syn = 0x02;
    private const int Ack = 0x10;

    public static ulong[] Assemble(PacketMaps maps) => Assemble(maps, PacketHook.Xdp);

    public static ulong[] Assemble(PacketMaps maps, PacketHook hook)
    {
        var code = new BpfAssembler();
        Label pass = new(), fragment = new();
        new ParseCode(code, hook, pass, fragment).Emit();
        EmitService(code, maps, pass);
        Label forward = new();
        EmitFlow(code, maps, forward);
        EmitChoice(code, maps, hook);
        EmitRemember(code, maps, forward);
        code.Mark(forward);
        EmitForward(code, maps, hook);
        EmitFragment(code, maps, hook, fragment, pass);
        code.Mark(pass);
        hook.EmitPass(code);
        return code.ToProgram();
    }

    private static void EmitService(BpfAssembler code, PacketMaps maps, Label pass)
    {
        EmitLookup(code, maps.Services, Frame.Service);
        code.JumpIf(Condition.Equal, Register.R0, 0, pass);
        code.LoadFrom(Width.Word, Register.R1, Register.R0, 0);
        code.Store(Width.Word, Register.R10, Frame.Pool, Register.R1);
        code.LoadFrom(Width.Word, Register.R1, Register.R0, 4);
        code.Store(Width.Word, Register.R10, Frame.ServiceFlags, Register.R1);
    }

    // A flow that is known goes where it went, whatever the table says now. A SYN begins a new one.
    private static void EmitFlow(BpfAssembler code, PacketMaps maps, Label forward)
    {
        Label choose = new();
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.ServiceFlags);
        code.And(Register.R1, (int)ServiceFlags.Remembers);
        code.JumpIf(Condition.Equal, Register.R1, 0, choose);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Flags);
        code.And(Register.R1, Syn | Ack);
        code.JumpIf(Condition.Equal, Register.R1, Syn, choose);
        EmitLookup(code, maps.Flows, Frame.Key);
        code.JumpIf(Condition.Equal, Register.R0, 0, choose);
        code.LoadFrom(Width.Word, Register.R8, Register.R0, 0);
        code.Store(Width.Word, Register.R10, Frame.Number, Register.R8);
        EmitLookup(code, maps.Backends, Frame.Number);
        code.JumpIf(Condition.Equal, Register.R0, 0, choose);
        code.LoadFrom(Width.Byte, Register.R1, Register.R0, 0);
        code.JumpIf(Condition.NotEqual, Register.R1, 0, forward);
        code.Mark(choose);
    }

    // The number of the backend is in R8 afterwards.
    private static void EmitChoice(BpfAssembler code, PacketMaps maps, PacketHook hook)
    {
        Label none = new(), byAddress = new(), chosen = new();
        EmitLookup(code, maps.Tables, Frame.Pool);
        code.JumpIf(Condition.Equal, Register.R0, 0, none);
        code.Store(Width.Word, Register.R10, Frame.Number, 0);
        code.Move(Register.R1, Register.R0);
        code.Move(Register.R2, Register.R10);
        code.Add(Register.R2, Frame.Number);
        code.Call(Helper.MapLookup);
        code.JumpIf(Condition.Equal, Register.R0, 0, none);
        code.Move(Register.R7, Register.R0);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.ServiceFlags);
        code.And(Register.R1, (int)ServiceFlags.SourceOnly);
        code.JumpIf(Condition.NotEqual, Register.R1, 0, byAddress);
        ChoiceCode.Emit(code, Frame.Key, KeyHashCode.TupleLength, maps.Limits.Table, none);
        code.Jump(chosen);
        code.Mark(byAddress);
        ChoiceCode.Emit(code, Frame.Key, KeyHashCode.AddressLength, maps.Limits.Table, none);
        code.Jump(chosen);
        code.Mark(none);
        EmitDrop(code, maps, hook, PacketDrop.NoBackend);
        code.Mark(chosen);
        code.JumpIf(Condition.GreaterOrEqual, Register.R0, maps.Limits.Table.Members, none);
        code.ShiftLeft(Register.R0, 2);
        code.Add(Register.R0, Register.R7);
        code.Add(Register.R0, maps.Limits.Table.NumbersAt);
        code.LoadFrom(Width.Word, Register.R8, Register.R0, 0);
    }

    // A message about a flow begins none.
    private static void EmitRemember(BpfAssembler code, PacketMaps maps, Label forward)
    {
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.ServiceFlags);
        code.And(Register.R1, (int)ServiceFlags.Remembers);
        code.JumpIf(Condition.Equal, Register.R1, 0, forward);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Flags);
        code.JumpIf(Condition.Equal, Register.R1, Frame.IsIcmp, forward);
        code.Store(Width.Word, Register.R10, Frame.Number, Register.R8);
        code.MoveMap(Register.R1, maps.Flows);
        code.Move(Register.R2, Register.R10);
        code.Add(Register.R2, Frame.Key);
        code.Move(Register.R3, Register.R10);
        code.Add(Register.R3, Frame.Number);
        code.Move(Register.R4, 0);
        code.Call(Helper.MapUpdate);
    }

    // To the backend with the number in R8, which is on the segment: only the addresses of the Ethernet header change.
    private static void EmitForward(BpfAssembler code, PacketMaps maps, PacketHook hook)
    {
        Label noWay = new();
        code.Store(Width.Word, Register.R10, Frame.Number, Register.R8);
        EmitLookup(code, maps.Backends, Frame.Number);
        code.JumpIf(Condition.Equal, Register.R0, 0, noWay);
        code.LoadFrom(Width.Byte, Register.R1, Register.R0, 0);
        code.JumpIf(Condition.Equal, Register.R1, 0, noWay);
        hook.EmitBounds(code, Register.R2, Register.R3);
        code.Move(Register.R4, Register.R2);
        code.Add(Register.R4, 14);
        code.JumpIf(Condition.Greater, Register.R4, Register.R3, noWay);
        for (short i = 0; i < 12; i += 4)
        {
            code.LoadFrom(Width.Word, Register.R1, Register.R0, (short)(PacketBackend.MacAt + i));
            code.Store(Width.Word, Register.R2, i, Register.R1);
        }

        EmitCount(code, maps, hook);
        hook.EmitSendBack(code);
        code.Mark(noWay);
        EmitDrop(code, maps, hook, PacketDrop.NoWay);
    }

    private static void EmitCount(BpfAssembler code, PacketMaps maps, PacketHook hook)
    {
        Label uncounted = new();
        hook.EmitLength(code, Register.R7, Register.R3);
        EmitLookup(code, maps.Counts, Frame.Number);
        code.JumpIf(Condition.Equal, Register.R0, 0, uncounted);
        EmitAdd(code, 0, 1);
        code.LoadFrom(Width.Double, Register.R1, Register.R0, 8);
        code.Add(Register.R1, Register.R7);
        code.Store(Width.Double, Register.R0, 8, Register.R1);
        code.Mark(uncounted);
    }

    private static void EmitFragment(BpfAssembler code, PacketMaps maps, PacketHook hook, Label fragment, Label pass)
    {
        code.Mark(fragment);
        code.Store(Width.Word, Register.R10, Frame.ServicePort, 0);
        EmitLookup(code, maps.Services, Frame.Service);
        code.JumpIf(Condition.Equal, Register.R0, 0, pass);
        EmitDrop(code, maps, hook, PacketDrop.Fragment);
    }

    private static void EmitDrop(BpfAssembler code, PacketMaps maps, PacketHook hook, PacketDrop reason)
    {
        Label uncounted = new();
        code.Store(Width.Word, Register.R10, Frame.Number, (int)reason);
        EmitLookup(code, maps.Dropped, Frame.Number);
        code.JumpIf(Condition.Equal, Register.R0, 0, uncounted);
        EmitAdd(code, 0, 1);
        code.Mark(uncounted);
        hook.EmitDrop(code);
    }

    // Each processor has its own numbers, so that a sum of load and store loses nothing.
    private static void EmitAdd(BpfAssembler code, short offset, int value)
    {
        code.LoadFrom(Width.Double, Register.R1, Register.R0, offset);
        code.Add(Register.R1, value);
        code.Store(Width.Double, Register.R0, offset, Register.R1);
    }

    private static void EmitLookup(BpfAssembler code, int map, short key)
    {
        code.MoveMap(Register.R1, map);
        code.Move(Register.R2, Register.R10);
        code.Add(Register.R2, key);
        code.Call(Helper.MapLookup);
    }
}
