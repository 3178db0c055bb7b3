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

    private const int EthernetHeader = 14;

    public static ulong[] Assemble(PacketMaps maps) => Assemble(maps, PacketHook.Xdp);

    public static ulong[] Assemble(PacketMaps maps, PacketHook hook)
    {
        var code = new BpfAssembler();
        Label pass = new(), fragment = new();
        new ParseCode(code, hook, pass, fragment).Emit();
        EmitService(code, maps, pass);
        Label forward = new(), none = new();
        FlowCode.EmitRecall(code, maps, forward);
        EmitChoice(code, maps, maps.Tables, none);
        FlowCode.EmitRemember(code, maps, forward);
        code.Mark(forward);
        EmitForward(code, maps, hook);
        code.Mark(none);
        EmitDrop(code, maps, hook, PacketDrop.NoBackend);
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

    // The number of the backend is in R8 afterwards.
    private static void EmitChoice(BpfAssembler code, PacketMaps maps, int tables, Label none)
    {
        Label byAddress = new(), chosen = new();
        EmitLookup(code, tables, Frame.Pool);
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
        code.Mark(chosen);
        code.JumpIf(Condition.GreaterOrEqual, Register.R0, maps.Limits.Table.Members, none);
        code.ShiftLeft(Register.R0, 2);
        code.Add(Register.R0, Register.R7);
        code.Add(Register.R0, maps.Limits.Table.NumbersAt);
        code.LoadFrom(Width.Word, Register.R8, Register.R0, 0);
    }

    // To the backend with the number in R8.
    private static void EmitForward(BpfAssembler code, PacketMaps maps, PacketHook hook)
    {
        var tunnel = new TunnelCode(code, hook);
        Label onSegment = new(), drop = new();
        if (maps.Limits.SecondChance)
        {
            EmitAlternative(code, maps);
        }

        code.Store(Width.Word, Register.R10, Frame.Number, Register.R8);
        EmitLookup(code, maps.Backends, Frame.Number);
        code.JumpIf(Condition.Equal, Register.R0, 0, tunnel.NoWay);
        code.Move(Register.R7, Register.R0);
        code.LoadFrom(Width.Byte, Register.R1, Register.R7, 0);
        code.And(Register.R1, PacketBackend.Outer4 | PacketBackend.Outer6);
        code.JumpIf(Condition.Equal, Register.R1, 0, onSegment);
        if (maps.Limits.SecondChance)
        {
            EmitNameAlternative(code, maps);
        }
        else
        {
            code.Store(Width.Word, Register.R10, Frame.Mark, 0);
            EmitAddress(code, Register.R7, PacketBackend.SourceAt);
        }

        tunnel.Emit();
        EmitCount(code, maps);
        hook.EmitLeave(code);
        code.Mark(onSegment);
        EmitOnSegment(code, hook, tunnel.NoWay);
        EmitCount(code, maps);
        hook.EmitSendBack(code);
        code.Mark(tunnel.NoWay);
        EmitDrop(code, maps, hook, PacketDrop.NoWay);
        code.Mark(tunnel.NoRoom);
        EmitDrop(code, maps, hook, PacketDrop.NoRoom);
        code.Mark(tunnel.TooBig);
        EmitCountDrop(code, maps, PacketDrop.TooBig);
        new TooBigCode(code, maps, hook).Emit(drop);
        code.Mark(drop);
        hook.EmitDrop(code);
    }

    // Only the addresses of the Ethernet header change, to those of the backend that R7 points to.
    private static void EmitOnSegment(BpfAssembler code, PacketHook hook, Label noWay)
    {
        code.LoadFrom(Width.Byte, Register.R1, Register.R7, 0);
        code.And(Register.R1, PacketBackend.Known);
        code.JumpIf(Condition.Equal, Register.R1, 0, noWay);
        hook.EmitBounds(code, Register.R2, Register.R3);
        code.Move(Register.R4, Register.R2);
        code.Add(Register.R4, 14);
        code.JumpIf(Condition.Greater, Register.R4, Register.R3, noWay);
        for (short i = 0; i < 12; i += 4)
        {
            code.LoadFrom(Width.Word, Register.R1, Register.R7, (short)(PacketBackend.MacAt + i));
            code.Store(Width.Word, Register.R2, i, Register.R1);
        }
    }

    // The second chance: the frame gets the backend that the table before would choose, or that of R8 if there is none or the packet begins a flow.
    private static void EmitAlternative(BpfAssembler code, PacketMaps maps)
    {
        Label same = new(), other = new();
        code.Store(Width.Word, Register.R10, Frame.Chosen, Register.R8);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.ServiceFlags);
        code.And(Register.R1, (int)ServiceFlags.SecondChance);
        code.JumpIf(Condition.Equal, Register.R1, 0, same);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Flags);
        code.And(Register.R1, FlowCode.Syn | FlowCode.Ack);
        code.JumpIf(Condition.Equal, Register.R1, FlowCode.Syn, same);
        EmitChoice(code, maps, maps.Previous, same);
        code.Jump(other);
        code.Mark(same);
        code.LoadFrom(Width.Word, Register.R8, Register.R10, Frame.Chosen);
        code.Mark(other);
        code.Store(Width.Word, Register.R10, Frame.Number, Register.R8);
        code.LoadFrom(Width.Word, Register.R8, Register.R10, Frame.Chosen);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Number);
        code.Store(Width.Word, Register.R10, Frame.Chosen, Register.R1);
    }

    // The outer source becomes the address of the alternative, if that is another backend with an address of the same family. R7 points to the chosen one.
    private static void EmitNameAlternative(BpfAssembler code, PacketMaps maps)
    {
        Label none = new(), six = new(), named = new();
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Chosen);
        code.JumpIf(Condition.Equal, Register.R1, Register.R8, none);
        EmitLookup(code, maps.Backends, Frame.Chosen);
        code.JumpIf(Condition.Equal, Register.R0, 0, none);
        code.LoadFrom(Width.Byte, Register.R1, Register.R0, 0);
        code.LoadFrom(Width.Byte, Register.R2, Register.R7, 0);
        code.And(Register.R1, PacketBackend.Outer4 | PacketBackend.Outer6);
        code.And(Register.R2, PacketBackend.Outer4 | PacketBackend.Outer6);
        code.JumpIf(Condition.NotEqual, Register.R1, Register.R2, none);
        EmitAddress(code, Register.R0, PacketBackend.DestinationAt);
        code.JumpIf(Condition.NotEqual, Register.R1, PacketBackend.Outer4, six);
        code.Store(Width.Word, Register.R10, Frame.Mark, ParseCode.Network(OuterHeaderCode.Mark4));
        code.Jump(named);
        code.Mark(six);
        code.Store(Width.Word, Register.R10, Frame.Mark, OuterHeaderCode.Mark6);
        code.Jump(named);
        code.Mark(none);
        code.Store(Width.Word, Register.R10, Frame.Mark, 0);
        EmitAddress(code, Register.R7, PacketBackend.SourceAt);
        code.Mark(named);
        code.Store(Width.Word, Register.R10, Frame.Number, Register.R8);
    }

    // From a backend to the source of the outer header. R2 is lost.
    private static void EmitAddress(BpfAssembler code, Register backend, short from)
    {
        for (short i = 0; i < 16; i += 4)
        {
            code.LoadFrom(Width.Word, Register.R2, backend, (short)(from + i));
            code.Store(Width.Word, Register.R10, (short)(Frame.OuterSource + i), Register.R2);
        }
    }

    // Bytes are those of the packet as it came. The number of the backend is R8.
    private static void EmitCount(BpfAssembler code, PacketMaps maps)
    {
        Label uncounted = new();
        code.Store(Width.Word, Register.R10, Frame.Number, Register.R8);
        EmitLookup(code, maps.Counts, Frame.Number);
        code.JumpIf(Condition.Equal, Register.R0, 0, uncounted);
        EmitAdd(code, 0, 1);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Length);
        code.LoadFrom(Width.Word, Register.R2, Register.R10, Frame.Tags);
        code.Add(Register.R1, Register.R2);
        code.Add(Register.R1, EthernetHeader);
        code.LoadFrom(Width.Double, Register.R2, Register.R0, 8);
        code.Add(Register.R1, Register.R2);
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
        EmitCountDrop(code, maps, reason);
        hook.EmitDrop(code);
    }

    private static void EmitCountDrop(BpfAssembler code, PacketMaps maps, PacketDrop reason)
    {
        Label uncounted = new();
        code.Store(Width.Word, Register.R10, Frame.Number, (int)reason);
        EmitLookup(code, maps.Dropped, Frame.Number);
        code.JumpIf(Condition.Equal, Register.R0, 0, uncounted);
        EmitAdd(code, 0, 1);
        code.Mark(uncounted);
    }

    // Each processor has its own numbers, so that a sum of load and store loses nothing.
    private static void EmitAdd(BpfAssembler code, short offset, int value)
    {
        code.LoadFrom(Width.Double, Register.R1, Register.R0, offset);
        code.Add(Register.R1, value);
        code.Store(Width.Double, Register.R0, offset, Register.R1);
    }

    /// <summary>Leaves the value of a key in the frame in R0, or 0. R1 to R5 are lost.</summary>
    public static void EmitLookup(BpfAssembler code, int map, short key)
    {
        code.MoveMap(Register.R1, map);
        code.Move(Register.R2, Register.R10);
        code.Add(Register.R2, key);
        code.Call(Helper.MapLookup);
    }
}
