namespace L4Balancer.Engine.Packets;

/// <summary>
/// The balancer's part of the second chance: a packet in a tunnel names the backend that the table before the last change would choose. If the connection is
/// there, its owner has changed, and the backend that gets the packet sends it on (<see cref="DecapsulationProgram"/>).
/// </summary>
internal static class AlternativeCode
{
    /// <summary>
    /// The frame gets the backend that the table before would choose, or that of R8 if there is none or the packet begins a flow. R8 and R9 stay.
    /// </summary>
    public static void EmitChoose(BpfAssembler code, PacketMaps maps)
    {
        Label same = new(), other = new();
        code.Store(Width.Word, Register.R10, Frame.Chosen, Register.R8);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.ServiceFlags);
        code.And(Register.R1, (int)ServiceFlags.SecondChance);
        code.JumpIf(Condition.Equal, Register.R1, 0, same);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Flags);
        code.And(Register.R1, FlowCode.Syn | FlowCode.Ack);
        code.JumpIf(Condition.Equal, Register.R1, FlowCode.Syn, same);
        PacketProgram.EmitChoice(code, maps, maps.Previous, same);
        code.Jump(other);
        code.Mark(same);
        code.LoadFrom(Width.Word, Register.R8, Register.R10, Frame.Chosen);
        code.Mark(other);
        code.Store(Width.Word, Register.R10, Frame.Number, Register.R8);
        code.LoadFrom(Width.Word, Register.R8, Register.R10, Frame.Chosen);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Number);
        code.Store(Width.Word, Register.R10, Frame.Chosen, Register.R1);
    }

    /// <summary>
    /// The outer source becomes the address of the alternative, and the mark says so, if that is another backend with an address of the same family. R7
    /// points to the chosen one, of the number in R8.
    /// </summary>
    public static void EmitName(BpfAssembler code, PacketMaps maps)
    {
        Label none = new(), six = new(), named = new();
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Chosen);
        code.JumpIf(Condition.Equal, Register.R1, Register.R8, none);
        PacketProgram.EmitLookup(code, maps.Backends, Frame.Chosen);
        code.JumpIf(Condition.Equal, Register.R0, 0, none);
        code.LoadFrom(Width.Byte, Register.R1, Register.R0, 0);
        code.LoadFrom(Width.Byte, Register.R2, Register.R7, 0);
        code.And(Register.R1, PacketBackend.Outer4 | PacketBackend.Outer6);
        code.And(Register.R2, PacketBackend.Outer4 | PacketBackend.Outer6);
        code.JumpIf(Condition.NotEqual, Register.R1, Register.R2, none);
        OuterHeaderCode.EmitSource(code, Register.R0, PacketBackend.DestinationAt);
        code.JumpIf(Condition.NotEqual, Register.R1, PacketBackend.Outer4, six);
        code.Store(Width.Word, Register.R10, Frame.Mark, ParseCode.Network(OuterHeaderCode.Mark4));
        code.Jump(named);
        code.Mark(six);
        code.Store(Width.Word, Register.R10, Frame.Mark, OuterHeaderCode.Mark6);
        code.Jump(named);
        code.Mark(none);
        code.Store(Width.Word, Register.R10, Frame.Mark, 0);
        OuterHeaderCode.EmitSource(code, Register.R7, PacketBackend.SourceAt);
        code.Mark(named);
        code.Store(Width.Word, Register.R10, Frame.Number, Register.R8);
    }
}
