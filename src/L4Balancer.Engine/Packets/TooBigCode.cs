namespace L4Balancer.Engine.Packets;

/// <summary>
/// Answers a packet that does not fit with its outer header: the client gets "fragmentation needed" (RFC 792, RFC 1191) or "packet too big" (RFC 4443)
/// from the virtual address, with the size that fits, and the packet is dropped. What may be fragmented, or is such a message itself, gets no answer.
/// </summary>
internal sealed class TooBigCode(BpfAssembler code, PacketMaps maps, PacketHook hook)
{
    // Of the packet, from its IP header on: at least the longest header of IPv4 and eight bytes. Both are multiples of 4 that leave the message, whose
    // checksum the kernel computes at once, below 512 bytes.
    private const int Quoted4 = 128;
    private const int Quoted6 = 232;
    private const int MessageHeader = 8;
    private const int HopLimit = 64;

    /// <summary>
    /// The size is in the frame (<see cref="Frame.Mtu"/>), and the packet has been counted. Ends the program, or goes on at the label where it is dropped.
    /// </summary>
    public void Emit(Label drop)
    {
        Label six = new();
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Flags);
        code.JumpIf(Condition.Equal, Register.R1, Frame.IsIcmp, drop);
        BudgetCode.Emit(code, maps, BudgetCode.Messages, maps.Limits.TooBigPerSecond, drop);
        hook.EmitKeepTags(code, drop);
        EmitSwapMacs(code);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Inner);
        code.JumpIf(Condition.NotEqual, Register.R1, Frame.InnerFour, six);
        EmitFour(drop);
        code.Mark(six);
        EmitSix(drop);
    }

    /// <summary>The packet, which begins at R2, is to go back to where it came from: its addresses in the frame. R1 is lost.</summary>
    public static void EmitSwapMacs(BpfAssembler code)
    {
        for (short i = 0; i < 6; i += 2)
        {
            code.LoadFrom(Width.Half, Register.R1, Register.R2, i);
            code.Store(Width.Half, Register.R10, (short)(Frame.Macs + 6 + i), Register.R1);
            code.LoadFrom(Width.Half, Register.R1, Register.R2, (short)(6 + i));
            code.Store(Width.Half, Register.R10, (short)(Frame.Macs + i), Register.R1);
        }
    }

    private void EmitFour(Label drop)
    {
        // R2 is the start of the packet, and the header up to the flags has been compared with its end.
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Tags);
        code.JumpIf(Condition.Greater, Register.R1, 8, drop);
        code.Add(Register.R2, Register.R1);
        code.Move(Register.R4, Register.R2);
        code.Add(Register.R4, 14 + 8);
        code.JumpIf(Condition.Greater, Register.R4, Register.R3, drop);
        code.LoadFrom(Width.Byte, Register.R1, Register.R2, 14 + 6);
        code.And(Register.R1, 0x40);
        code.JumpIf(Condition.Equal, Register.R1, 0, drop);
        const int message = MessageHeader + Quoted4, length = OuterHeaderCode.Length4 + message;
        EmitRoom(Quoted4, OuterHeaderCode.Length4 + MessageHeader, 0x0800, length, drop);

        const int icmp = 1;
        code.Store(Width.Word, Register.R6, 14, 0x45 | (ParseCode.Network(length) << 16));
        code.Store(Width.Word, Register.R6, 14 + 4, 0x0040_0000);
        code.Store(Width.Word, Register.R6, 14 + 8, HopLimit | (icmp << 8));
        code.MoveWide(Register.R0, (uint)(0x45 | (ParseCode.Network(length) << 16)));
        code.Add(Register.R0, 0x0040_0000);
        code.Add(Register.R0, HopLimit | (icmp << 8));
        EmitAddress(14 + 12, isAligned: false, Frame.Destination + 12);
        code.Add(Register.R0, Register.R1);
        EmitAddress(14 + 16, isAligned: true, Frame.Key + 12);
        code.Add(Register.R0, Register.R1);
        OuterHeaderCode.EmitFold(code);
        code.Store(Width.Half, Register.R6, 14 + 10, Register.R0);

        const short at = 14 + OuterHeaderCode.Length4;
        code.Store(Width.Word, Register.R6, at, 0x0403);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Mtu);
        code.SwapToNetworkOrder(Register.R1, 16);
        code.ShiftLeft(Register.R1, 16);
        code.Store(Width.Word, Register.R6, at + 4, Register.R1);
        code.Move(Register.R5, 0);
        EmitSum(at, message);
        EmitFinish(at);
    }

    private void EmitSix(Label drop)
    {
        const int message = MessageHeader + Quoted6, length = OuterHeaderCode.Length6 + message, icmp = 58;
        EmitRoom(Quoted6, OuterHeaderCode.Length6 + MessageHeader, 0x86dd, length, drop);
        code.Store(Width.Word, Register.R6, 14, 0x60);
        code.Store(Width.Word, Register.R6, 14 + 4, ParseCode.Network(message) | (icmp << 16) | (HopLimit << 24));
        for (short i = 0; i < 16; i += 4)
        {
            EmitAddress((short)(14 + 8 + i), isAligned: false, (short)(Frame.Destination + i));
            EmitAddress((short)(14 + 24 + i), isAligned: true, (short)(Frame.Key + i));
        }

        const short at = 14 + OuterHeaderCode.Length6;
        code.Store(Width.Word, Register.R6, at, 2);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Mtu);
        code.SwapToNetworkOrder(Register.R1, 32);
        code.Store(Width.Word, Register.R6, at + 4, Register.R1);

        // The pseudo-header (RFC 8200, 8.1): both addresses, the length and the protocol.
        code.Move(Register.R5, ParseCode.Network(message) + ParseCode.Network(icmp));
        EmitSum(14 + 8, 32);
        code.Move(Register.R5, Register.R0);
        EmitSum(at, message);
        EmitFinish(at);
    }

    private void EmitRoom(int quoted, int header, int type, int length, Label drop)
    {
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Length);
        code.JumpIf(Condition.LessOrEqual, Register.R1, quoted, drop);
        hook.EmitCut(code, quoted, drop);
        hook.EmitGrow(code, header, RoomFor.Nothing, drop);
        hook.EmitEthernet(code, type, length, drop);
    }

    // Four bytes of an address from the frame, which may be aligned for two only; R1 holds them afterwards.
    private void EmitAddress(short to, bool isAligned, short from)
    {
        if (isAligned)
        {
            code.LoadFrom(Width.Word, Register.R1, Register.R10, from);
        }
        else
        {
            code.LoadFrom(Width.Half, Register.R2, Register.R10, (short)(from + 2));
            code.ShiftLeft(Register.R2, 16);
            code.LoadFrom(Width.Half, Register.R1, Register.R10, from);
            code.Or(Register.R1, Register.R2);
        }

        code.Store(Width.Word, Register.R6, to, Register.R1);
    }

    // R0 becomes the sum of so many bytes and of R5.
    private void EmitSum(short from, int bytes)
    {
        code.Move(Register.R1, 0);
        code.Move(Register.R2, 0);
        code.Move(Register.R3, Register.R6);
        code.Add(Register.R3, from);
        code.Move(Register.R4, bytes);
        code.Call(Helper.ChecksumDifference);
    }

    private void EmitFinish(short message)
    {
        OuterHeaderCode.EmitFold(code);
        code.Store(Width.Half, Register.R6, (short)(message + 2), Register.R0);
        hook.EmitSendBack(code);
    }
}
