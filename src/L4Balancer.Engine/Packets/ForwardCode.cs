namespace L4Balancer.Engine.Packets;

/// <summary>Sends a packet on to its backend, which is on the segment or at the end of a tunnel (<see cref="TunnelCode"/>), and counts it.</summary>
internal static class ForwardCode
{
    private const int EthernetHeader = 14;

    /// <summary>Sends the packet on, and ends the program. The number of the backend is in R8.</summary>
    public static void Emit(BpfAssembler code, PacketMaps maps, PacketHook hook)
    {
        var tunnel = new TunnelCode(code, hook);
        Label onSegment = new(), drop = new();
        if (maps.Limits.SecondChance)
        {
            AlternativeCode.EmitChoose(code, maps);
        }

        code.Store(Width.Word, Register.R10, Frame.Number, Register.R8);
        PacketProgram.EmitLookup(code, maps.Backends, Frame.Number);
        code.JumpIf(Condition.Equal, Register.R0, 0, tunnel.NoWay);
        code.Move(Register.R7, Register.R0);
        code.LoadFrom(Width.Byte, Register.R1, Register.R7, 0);
        code.And(Register.R1, PacketBackend.Outer4 | PacketBackend.Outer6);
        code.JumpIf(Condition.Equal, Register.R1, 0, onSegment);
        if (maps.Limits.SecondChance)
        {
            AlternativeCode.EmitName(code, maps);
        }
        else
        {
            code.Store(Width.Word, Register.R10, Frame.Mark, 0);
            OuterHeaderCode.EmitSource(code, Register.R7, PacketBackend.SourceAt);
        }

        tunnel.Emit();
        EmitCount(code, maps);
        hook.EmitLeave(code);
        code.Mark(onSegment);
        EmitOnSegment(code, hook, tunnel.NoWay);
        EmitCount(code, maps);
        hook.EmitSendBack(code);
        code.Mark(tunnel.NoWay);
        PacketProgram.EmitDrop(code, maps, hook, PacketDrop.NoWay);
        code.Mark(tunnel.NoRoom);
        PacketProgram.EmitDrop(code, maps, hook, PacketDrop.NoRoom);
        code.Mark(tunnel.TooBig);
        PacketProgram.EmitCountDrop(code, maps, PacketDrop.TooBig);
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

    // Bytes are those of the packet as it came. The number of the backend is R8.
    private static void EmitCount(BpfAssembler code, PacketMaps maps)
    {
        Label uncounted = new();
        code.Store(Width.Word, Register.R10, Frame.Number, Register.R8);
        PacketProgram.EmitLookup(code, maps.Counts, Frame.Number);
        code.JumpIf(Condition.Equal, Register.R0, 0, uncounted);
        PacketProgram.EmitAdd(code, 0, 1);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Length);
        code.LoadFrom(Width.Word, Register.R2, Register.R10, Frame.Tags);
        code.Add(Register.R1, Register.R2);
        code.Add(Register.R1, EthernetHeader);
        code.LoadFrom(Width.Double, Register.R2, Register.R0, 8);
        code.Add(Register.R1, Register.R2);
        code.Store(Width.Double, Register.R0, 8, Register.R1);
        code.Mark(uncounted);
    }
}
