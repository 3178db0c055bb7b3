namespace L4Balancer.Engine.Packets;

/// <summary>
/// Remembers which backend a flow went to, so that it stays there whatever the table says later. A new flow is remembered at its SYN while there are few of
/// them, otherwise at its next packet: a flood of SYNs, which none follows, does not evict the flows that live.
/// </summary>
internal static class FlowCode
{
    /// <summary>Flags of the TCP header (RFC 9293, 3.1).</summary>
    public const int Syn = 0x02;

    public const int Ack = 0x10;

    private const int Reset = 0x04;

    /// <summary>Goes on at a label, with the number of the backend in R8, if the flow is known and its backend is there. A SYN begins a new flow.</summary>
    public static void EmitRecall(BpfAssembler code, PacketMaps maps, Label known)
    {
        Label choose = new();
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.ServiceFlags);
        code.And(Register.R1, (int)ServiceFlags.Remembers);
        code.JumpIf(Condition.Equal, Register.R1, 0, choose);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Flags);
        code.And(Register.R1, Syn | Ack);
        code.JumpIf(Condition.Equal, Register.R1, Syn, choose);
        PacketProgram.EmitLookup(code, maps.Flows, Frame.Key);
        code.JumpIf(Condition.Equal, Register.R0, 0, choose);
        code.LoadFrom(Width.Word, Register.R8, Register.R0, 0);
        code.Store(Width.Word, Register.R10, Frame.Number, Register.R8);
        PacketProgram.EmitLookup(code, maps.Backends, Frame.Number);
        code.JumpIf(Condition.Equal, Register.R0, 0, choose);
        code.LoadFrom(Width.Byte, Register.R1, Register.R0, 0);
        code.JumpIf(Condition.NotEqual, Register.R1, 0, known);
        code.Mark(choose);
    }

    /// <summary>Remembers the backend in R8. A message about a flow begins none, nor does the end of one.</summary>
    public static void EmitRemember(BpfAssembler code, PacketMaps maps, Label forward)
    {
        Label write = new(), spent = new();
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.ServiceFlags);
        code.And(Register.R1, (int)ServiceFlags.Remembers);
        code.JumpIf(Condition.Equal, Register.R1, 0, forward);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Flags);
        code.JumpIf(Condition.Equal, Register.R1, Frame.IsIcmp, forward);
        code.JumpIf(Condition.AnyBitOf, Register.R1, Reset, forward);
        code.And(Register.R1, Syn | Ack);
        code.JumpIf(Condition.NotEqual, Register.R1, Syn, write);
        BudgetCode.Emit(code, maps, BudgetCode.Syns, maps.Limits.SynsPerSecond, spent);
        code.Jump(write);

        // An earlier connection of the tuple may be remembered: the next packet must not go to the backend of that one. This evicts no other flow.
        code.Mark(spent);
        PacketProgram.EmitLookup(code, maps.Flows, Frame.Key);
        code.JumpIf(Condition.Equal, Register.R0, 0, forward);
        code.Mark(write);
        code.Store(Width.Word, Register.R10, Frame.Number, Register.R8);
        code.MoveMap(Register.R1, maps.Flows);
        code.Move(Register.R2, Register.R10);
        code.Add(Register.R2, Frame.Key);
        code.Move(Register.R3, Register.R10);
        code.Add(Register.R3, Frame.Number);
        code.Move(Register.R4, 0);
        code.Call(Helper.MapUpdate);
    }
}
