namespace L4Balancer.Engine.Packets;

/// <summary>
/// Writes the outer IP header of a tunnel: IPv4 (RFC 2003) or IPv6 (RFC 2473), with an IPv4 or IPv6 packet in it. The packet is never fragmented on the way
/// to the backend. Differentiated services are those of the packet, without ECN (RFC 6040: the compatibility mode, as the outer header is thrown away).
/// <para>
/// A marked header says that its source address is not that of the balancer, but that of the next backend to try (docs/packet-backends.md). The mark is in
/// a field that has no meaning in a packet that is not fragmented: the identification of IPv4 (RFC 6864); of IPv6, the upper byte of the flow label.
/// </para>
/// </summary>
internal static class OuterHeaderCode
{
    /// <summary>The identification of a marked IPv4 header.</summary>
    public const int Mark4 = 0x5343;

    /// <summary>The flow label of a marked IPv6 header, whose lower twelve bits spread flows over queues.</summary>
    public const int Mark6 = 0x53000;

    /// <summary>Of the flow label: what is compared with <see cref="Mark6"/>.</summary>
    public const int Mask6 = 0xff000;

    public const int Length4 = 20;
    public const int Length6 = 40;

    private const int HopLimit = 64;

    /// <summary>An address of a backend becomes the source of the outer header. R2 is lost.</summary>
    public static void EmitSource(BpfAssembler code, Register backend, short from)
    {
        for (short i = 0; i < 16; i += 4)
        {
            code.LoadFrom(Width.Word, Register.R2, backend, (short)(from + i));
            code.Store(Width.Word, Register.R10, (short)(Frame.OuterSource + i), Register.R2);
        }
    }

    /// <summary>
    /// Writes an IPv4 header 14 bytes after R6. Of the frame it takes the length, the class, the protocol and the mark; the source is
    /// <see cref="Frame.OuterSource"/>. R0, R1 and R2 are lost.
    /// </summary>
    /// <param name="destination">Register that points to the backend in its map.</param>
    public static void Emit4(BpfAssembler code, Register destination)
    {
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Length);
        code.Add(Register.R1, Length4);
        code.SwapToNetworkOrder(Register.R1, 16);
        code.ShiftLeft(Register.R1, 16);
        code.LoadFrom(Width.Word, Register.R2, Register.R10, Frame.Class);
        code.ShiftLeft(Register.R2, 8);
        code.Or(Register.R1, Register.R2);
        code.Add(Register.R1, 0x45);
        code.Store(Width.Word, Register.R6, 14, Register.R1);
        code.Move(Register.R0, Register.R1);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Mark);
        code.Add(Register.R1, 0x0040_0000);
        code.Store(Width.Word, Register.R6, 14 + 4, Register.R1);
        code.Add(Register.R0, Register.R1);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Inner);
        code.ShiftLeft(Register.R1, 8);
        code.Add(Register.R1, HopLimit);
        code.Store(Width.Word, Register.R6, 14 + 8, Register.R1);
        code.Add(Register.R0, Register.R1);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.OuterSource);
        code.Store(Width.Word, Register.R6, 14 + 12, Register.R1);
        code.Add(Register.R0, Register.R1);
        code.LoadFrom(Width.Word, Register.R1, destination, PacketBackend.DestinationAt);
        code.Store(Width.Word, Register.R6, 14 + 16, Register.R1);
        code.Add(Register.R0, Register.R1);
        EmitFold(code);
        code.Store(Width.Half, Register.R6, 14 + 10, Register.R0);
    }

    /// <summary>As <see cref="Emit4"/>, an IPv6 header.</summary>
    public static void Emit6(BpfAssembler code, Register destination)
    {
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Class);
        code.ShiftLeft(Register.R1, 20);
        code.LoadFrom(Width.Half, Register.R2, Register.R10, Frame.SourcePort);
        code.And(Register.R2, 0xfff);
        code.Or(Register.R1, Register.R2);
        code.LoadFrom(Width.Word, Register.R2, Register.R10, Frame.Mark);
        code.Or(Register.R1, Register.R2);
        code.Add(Register.R1, 0x6000_0000);
        code.SwapToNetworkOrder(Register.R1, 32);
        code.Store(Width.Word, Register.R6, 14, Register.R1);
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Length);
        code.SwapToNetworkOrder(Register.R1, 16);
        code.LoadFrom(Width.Word, Register.R2, Register.R10, Frame.Inner);
        code.Add(Register.R2, HopLimit << 8);
        code.ShiftLeft(Register.R2, 16);
        code.Or(Register.R1, Register.R2);
        code.Store(Width.Word, Register.R6, 14 + 4, Register.R1);
        for (short i = 0; i < 16; i += 4)
        {
            code.LoadFrom(Width.Word, Register.R1, Register.R10, (short)(Frame.OuterSource + i));
            code.Store(Width.Word, Register.R6, (short)(14 + 8 + i), Register.R1);
            code.LoadFrom(Width.Word, Register.R1, destination, (short)(PacketBackend.DestinationAt + i));
            code.Store(Width.Word, Register.R6, (short)(14 + 24 + i), Register.R1);
        }
    }

    /// <summary>Turns the sum in R0 into a checksum (RFC 1071). R1 is lost.</summary>
    public static void EmitFold(BpfAssembler code)
    {
        code.Move(Register.R1, Register.R0);
        code.ShiftRight(Register.R1, 32);
        code.ShiftLeft(Register.R0, 32);
        code.ShiftRight(Register.R0, 32);
        code.Add(Register.R0, Register.R1);
        for (int i = 0; i < 3; i++)
        {
            code.Move(Register.R1, Register.R0);
            code.ShiftRight(Register.R1, 16);
            code.And(Register.R0, 0xffff);
            code.Add(Register.R0, Register.R1);
        }

        code.MoveWide(Register.R1, 0xffff);
        code.Xor(Register.R0, Register.R1);
    }
}
