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
        ForwardCode.Emit(code, maps, hook);
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

    /// <summary>Leaves the number of the backend in R8. Only R9 stays.</summary>
    /// <param name="tables">The map with the tables of the pools.</param>
    /// <param name="none">Where to go if no backend takes it.</param>
    public static void EmitChoice(BpfAssembler code, PacketMaps maps, int tables, Label none)
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

    private static void EmitFragment(BpfAssembler code, PacketMaps maps, PacketHook hook, Label fragment, Label pass)
    {
        code.Mark(fragment);
        code.Store(Width.Word, Register.R10, Frame.ServicePort, 0);
        EmitLookup(code, maps.Services, Frame.Service);
        code.JumpIf(Condition.Equal, Register.R0, 0, pass);
        EmitDrop(code, maps, hook, PacketDrop.Fragment);
    }

    /// <summary>Counts a drop, and ends the program.</summary>
    public static void EmitDrop(BpfAssembler code, PacketMaps maps, PacketHook hook, PacketDrop reason)
    {
        EmitCountDrop(code, maps, reason);
        hook.EmitDrop(code);
    }

    /// <summary>R6 to R9 stay.</summary>
    public static void EmitCountDrop(BpfAssembler code, PacketMaps maps, PacketDrop reason)
    {
        Label uncounted = new();
        code.Store(Width.Word, Register.R10, Frame.Number, (int)reason);
        EmitLookup(code, maps.Dropped, Frame.Number);
        code.JumpIf(Condition.Equal, Register.R0, 0, uncounted);
        EmitAdd(code, 0, 1);
        code.Mark(uncounted);
    }

    /// <summary>Adds to a number that R0 points to. Each processor has its own numbers, so that a sum of load and store loses nothing.</summary>
    public static void EmitAdd(BpfAssembler code, short offset, int value)
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
