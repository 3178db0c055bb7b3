namespace L4Balancer.Engine.Packets;

/// <summary>
/// Sends a packet on in an outer header to the address of its backend, by the way that the kernel's routing table knows, otherwise by the Ethernet
/// addresses that the daemon has found. A packet with VLAN tags keeps them, and goes the second way, as the routes of the interface are those
/// without a tag. What is too large for the way is answered by <see cref="TooBigCode"/>.
/// </summary>
internal sealed class TunnelCode(BpfAssembler code, PacketHook hook)
{
    /// <summary>Where a packet goes that cannot be sent.</summary>
    public Label NoWay { get; } = new();

    /// <summary>Where a packet goes that the kernel makes no room in.</summary>
    public Label NoRoom { get; } = new();

    /// <summary>Where a packet goes that is too large; what fits without the outer header is in the frame.</summary>
    public Label TooBig { get; } = new();

    /// <summary>
    /// R7 points to the backend, whose number is R8. The source and the mark of the outer header are in the frame. Falls through when the packet is
    /// ready to leave (<see cref="PacketHook.EmitLeave"/>).
    /// </summary>
    public void Emit()
    {
        Label four = new(), written = new();
        code.LoadFrom(Width.Byte, Register.R1, Register.R7, 0);
        code.And(Register.R1, PacketBackend.Outer4);
        code.JumpIf(Condition.NotEqual, Register.R1, 0, four);
        EmitRoute(isFour: false);
        EmitHeader(isFour: false);
        code.Jump(written);
        code.Mark(four);
        EmitRoute(isFour: true);
        EmitHeader(isFour: true);
        code.Mark(written);
    }

    private void EmitRoute(bool isFour)
    {
        int overhead = Overhead(isFour);
        Label segments = new(), fits = new(), sized = new(), tagged = new(), known = new(), unknown = new();
        RouteCode.EmitPrepare(code, hook, isFour);
        for (short i = 0; i < (isFour ? 4 : 16); i += 4)
        {
            code.LoadFrom(Width.Word, Register.R1, Register.R7, (short)(PacketBackend.SourceAt + i));
            code.Store(Width.Word, Register.R10, (short)(Frame.Route + RouteCode.SourceAt + i), Register.R1);
            code.LoadFrom(Width.Word, Register.R1, Register.R7, (short)(PacketBackend.DestinationAt + i));
            code.Store(Width.Word, Register.R10, (short)(Frame.Route + RouteCode.DestinationAt + i), Register.R1);
        }

        hook.EmitSegmentSize(code, Register.R1);
        code.JumpIf(Condition.NotEqual, Register.R1, 0, segments);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Length);
        code.Add(Register.R1, overhead);
        code.LoadFrom(Width.Word, Register.R2, Register.R7, PacketBackend.MtuAt);
        code.JumpIf(Condition.Equal, Register.R2, 0, fits);
        code.JumpIf(Condition.LessOrEqual, Register.R1, Register.R2, fits);
        EmitTooBig(overhead);
        code.Mark(fits);
        code.JumpIf(Condition.Greater, Register.R1, ushort.MaxValue, NoRoom);
        code.Store(Width.Half, Register.R10, Frame.Route + RouteCode.LengthAt, Register.R1);
        code.Mark(segments);
        hook.EmitJumpIfTagged(code, Register.R1, tagged);
        RouteCode.EmitLookup(code);
        code.JumpIf(Condition.NotEqual, Register.R0, RouteCode.TooLong, sized);
        code.LoadFrom(Width.Half, Register.R2, Register.R10, Frame.Route + RouteCode.LengthAt);
        EmitTooBig(overhead);
        code.Mark(sized);
        code.JumpIf(Condition.NotEqual, Register.R0, 0, unknown);
        RouteCode.EmitTakeMacs(code);
        code.Jump(known);

        // A look-up that fails may have changed the parameters.
        code.Mark(unknown);
        hook.EmitInterface(code, Register.R1);
        code.Store(Width.Word, Register.R10, Frame.Route + RouteCode.InterfaceAt, Register.R1);
        code.Mark(tagged);
        code.LoadFrom(Width.Byte, Register.R1, Register.R7, 0);
        code.And(Register.R1, PacketBackend.Known);
        code.JumpIf(Condition.Equal, Register.R1, 0, NoWay);
        for (short i = 0; i < 12; i += 4)
        {
            code.LoadFrom(Width.Word, Register.R1, Register.R7, (short)(PacketBackend.MacAt + i));
            code.Store(Width.Word, Register.R10, (short)(Frame.Macs + i), Register.R1);
        }

        code.Mark(known);
    }

    // The MTU of the way is in R2.
    private void EmitTooBig(int overhead)
    {
        code.Add(Register.R2, -overhead);
        code.Store(Width.Word, Register.R10, Frame.Mtu, Register.R2);
        code.Jump(TooBig);
    }

    private void EmitHeader(bool isFour)
    {
        hook.EmitKeepTags(code, NoRoom);
        hook.EmitGrow(code, Overhead(isFour), isFour ? RoomFor.Outer4 : RoomFor.Outer6, NoRoom);
        hook.EmitEthernet(code, isFour ? 0x0800 : 0x86dd, Overhead(isFour), NoRoom);
        if (isFour)
        {
            OuterHeaderCode.Emit4(code, Register.R7);
        }
        else
        {
            OuterHeaderCode.Emit6(code, Register.R7);
        }
    }

    private static int Overhead(bool isFour) => isFour ? OuterHeaderCode.Length4 : OuterHeaderCode.Length6;
}
