using System.Net;

namespace L4Balancer.Engine.Packets;

/// <summary>
/// Reads a packet in BPF: Ethernet with up to two VLAN tags, IPv4 with options, IPv6 with up to four extension headers, then TCP, or the ICMP message
/// that a packet of a flow was too big. What it finds lies in the <see cref="Frame"/>. Every length is compared with the end of the packet
/// first. Whatever is something else passes to the kernel untouched.
/// </summary>
internal sealed class ParseCode(BpfAssembler code, PacketHook hook, Label pass, Label fragment)
{
    private const int VlanTags = 2;
    private const int ExtensionHeaders = 4;
    private const int TcpHeader = 20;
    private const int NoEcn = 0xfc;

    private const byte Icmp4 = 1;
    private const byte Tcp = 6;
    private const byte Icmp6 = 58;

    private readonly Label _tcp = new();

    /// <summary>Falls through once the tuple, the service and the flags are in the frame. R1 is the context at the start, and R9 at the end.</summary>
    public void Emit()
    {
        Label four = new(), done = new();
        hook.EmitBegin(code);
        hook.EmitBounds(code, Register.R2, Register.R3);
        code.Move(Register.R4, Register.R2);
        code.Add(Register.R4, 14);
        code.JumpIf(Condition.Greater, Register.R4, Register.R3, pass);
        EmitVlanTags(code, pass);
        code.JumpIf(Condition.Equal, Register.R1, Network(0x0800), four);
        code.JumpIf(Condition.NotEqual, Register.R1, Network(0x86dd), pass);
        EmitVersion6(done);
        code.Mark(four);
        EmitVersion4(done);
        code.Mark(_tcp);
        EmitTcp();
        code.Mark(done);
        code.Store(Width.Half, Register.R10, Frame.ServicePort + 2, 0);
    }

    /// <summary>A number of 16 bits as it lies in a packet, for a comparison.</summary>
    public static int Network(int value) => (ushort)IPAddress.HostToNetworkOrder((short)value);

    /// <summary>
    /// Leaves the start of the network header in R4, its type in R1, and the length of the tags in the frame. R4 has to be 14 bytes after the start of
    /// the packet, and R3 its end. A third tag is not looked behind.
    /// </summary>
    public static void EmitVlanTags(BpfAssembler code, Label pass)
    {
        Label untagged = new();
        code.Store(Width.Word, Register.R10, Frame.Tags, 0);
        code.LoadFrom(Width.Half, Register.R1, Register.R4, -2);
        for (int i = 0; i < VlanTags; i++)
        {
            Label tagged = new();
            code.JumpIf(Condition.Equal, Register.R1, Network(0x8100), tagged);
            code.JumpIf(Condition.NotEqual, Register.R1, Network(0x88a8), untagged);
            code.Mark(tagged);
            code.Add(Register.R4, 4);
            code.JumpIf(Condition.Greater, Register.R4, Register.R3, pass);
            code.LoadFrom(Width.Half, Register.R1, Register.R4, -2);
            code.Store(Width.Word, Register.R10, Frame.Tags, 4 * (i + 1));
        }

        code.Mark(untagged);
    }

    // RFC 791. An address is kept in its IPv4-mapped form.
    private void EmitVersion4(Label done)
    {
        Label whole = new();
        EmitNeed(Register.R4, 20);
        code.LoadFrom(Width.Byte, Register.R0, Register.R4, 0);
        code.Move(Register.R1, Register.R0);
        code.And(Register.R1, 0xf0);
        code.JumpIf(Condition.NotEqual, Register.R1, 0x40, pass);
        code.And(Register.R0, 0x0f);
        code.ShiftLeft(Register.R0, 2);
        code.JumpIf(Condition.Less, Register.R0, 20, pass);
        code.Store(Width.Double, Register.R10, Frame.Key, 0);
        code.Store(Width.Word, Register.R10, Frame.Key + 8, unchecked((int)0xffff_0000));
        for (short i = 0; i < 10; i += 2)
        {
            code.Store(Width.Half, Register.R10, (short)(Frame.Destination + i), 0);
        }

        code.Store(Width.Half, Register.R10, Frame.Destination + 10, 0xffff);
        code.Store(Width.Double, Register.R10, Frame.Service, 0);
        code.Store(Width.Word, Register.R10, Frame.Service + 8, unchecked((int)0xffff_0000));
        EmitAddresses4(Register.R4, source: 12, destination: 16);
        code.LoadFrom(Width.Half, Register.R1, Register.R4, 6);
        code.And(Register.R1, Network(0x1fff));
        code.JumpIf(Condition.Equal, Register.R1, 0, whole);
        code.LoadFrom(Width.Byte, Register.R1, Register.R4, 9);
        EmitLaterFragment();
        code.Mark(whole);
        code.LoadFrom(Width.Byte, Register.R1, Register.R4, 1);
        code.And(Register.R1, NoEcn);
        code.Store(Width.Word, Register.R10, Frame.Class, Register.R1);
        code.Store(Width.Word, Register.R10, Frame.Inner, Frame.InnerFour);
        EmitLength(field: 2);
        code.Move(Register.R5, Register.R0);
        code.Add(Register.R5, TcpHeader);
        code.JumpIf(Condition.Less, Register.R1, Register.R5, pass);
        EmitFits();
        code.LoadFrom(Width.Byte, Register.R1, Register.R4, 9);
        code.Move(Register.R5, Register.R4);
        code.Add(Register.R5, Register.R0);
        code.JumpIf(Condition.Equal, Register.R1, Tcp, _tcp);
        code.JumpIf(Condition.NotEqual, Register.R1, Icmp4, pass);

        // RFC 1191: destination unreachable, fragmentation needed; then the header of the packet, of which the source is the service.
        EmitNeed(Register.R5, 8 + 20 + 8);
        EmitType(3, 4);
        EmitByte(Register.R5, 8, 0x45);
        EmitByte(Register.R5, 8 + 9, Tcp);
        EmitAddresses4(Register.R5, source: 8 + 16, destination: 8 + 12);
        EmitPorts(source: 8 + 20 + 2, destination: 8 + 20);
        code.Store(Width.Word, Register.R10, Frame.Flags, Frame.IsIcmp);
        code.Jump(done);
    }

    // RFC 8200.
    private void EmitVersion6(Label done)
    {
        Label icmp = new();
        EmitNeed(Register.R4, 40);
        code.LoadFrom(Width.Byte, Register.R1, Register.R4, 0);
        code.And(Register.R1, 0xf0);
        code.JumpIf(Condition.NotEqual, Register.R1, 0x60, pass);
        EmitAddresses6(Register.R4, source: 8, destination: 24);
        code.LoadFrom(Width.Half, Register.R1, Register.R4, 0);
        code.SwapToNetworkOrder(Register.R1, 16);
        code.ShiftRight(Register.R1, 4);
        code.And(Register.R1, NoEcn);
        code.Store(Width.Word, Register.R10, Frame.Class, Register.R1);
        code.Store(Width.Word, Register.R10, Frame.Inner, Frame.InnerSix);
        EmitLength(field: 4);
        code.JumpIf(Condition.Less, Register.R1, 8, pass);
        code.Add(Register.R1, 40);
        EmitFits();
        code.LoadFrom(Width.Byte, Register.R1, Register.R4, 6);
        code.Move(Register.R5, Register.R4);
        code.Add(Register.R5, 40);
        for (int i = 0; i <= ExtensionHeaders; i++)
        {
            code.JumpIf(Condition.Equal, Register.R1, Tcp, _tcp);
            code.JumpIf(Condition.Equal, Register.R1, Icmp6, icmp);
            if (i < ExtensionHeaders)
            {
                EmitExtension();
            }
        }

        code.Jump(pass);

        // RFC 8201: packet too big.
        code.Mark(icmp);
        EmitNeed(Register.R5, 8 + 40 + 8);
        EmitType(2, 0);
        EmitByte(Register.R5, 8 + 6, Tcp);
        EmitAddresses6(Register.R5, source: 8 + 24, destination: 8 + 8);
        EmitPorts(source: 8 + 40 + 2, destination: 8 + 40);
        code.Store(Width.Word, Register.R10, Frame.Flags, Frame.IsIcmp);
        code.Jump(done);
    }

    // R1 is the type of the header at R5, and both are those of the next one afterwards.
    private void EmitExtension()
    {
        const int hopByHop = 0, routing = 43, fragmentation = 44, options = 60;
        Label sized = new(), next = new(), whole = new();
        EmitNeed(Register.R5, 8);
        code.JumpIf(Condition.Equal, Register.R1, hopByHop, sized);
        code.JumpIf(Condition.Equal, Register.R1, routing, sized);
        code.JumpIf(Condition.Equal, Register.R1, options, sized);
        code.JumpIf(Condition.NotEqual, Register.R1, fragmentation, pass);
        code.LoadFrom(Width.Half, Register.R0, Register.R5, 2);
        code.And(Register.R0, Network(0xfff8));
        code.LoadFrom(Width.Byte, Register.R1, Register.R5, 0);
        code.JumpIf(Condition.Equal, Register.R0, 0, whole);
        EmitLaterFragment();
        code.Mark(whole);
        code.Add(Register.R5, 8);
        code.Jump(next);
        code.Mark(sized);
        code.LoadFrom(Width.Byte, Register.R1, Register.R5, 0);
        code.LoadFrom(Width.Byte, Register.R0, Register.R5, 1);
        code.Add(Register.R0, 1);
        code.ShiftLeft(Register.R0, 3);
        code.Add(Register.R5, Register.R0);
        code.Mark(next);
    }

    // A fragment without ports, of the protocol in R1. Those of UDP and ICMP are for the host itself, which may have the virtual address too.
    private void EmitLaterFragment()
    {
        code.JumpIf(Condition.Equal, Register.R1, Tcp, fragment);
        code.Jump(pass);
    }

    // RFC 9293, 3.1.
    private void EmitTcp()
    {
        EmitNeed(Register.R5, TcpHeader);
        EmitPorts(source: 0, destination: 2);
        code.LoadFrom(Width.Byte, Register.R1, Register.R5, 13);
        code.Store(Width.Word, Register.R10, Frame.Flags, Register.R1);
    }

    // A length of 16 bits in the header at R4 becomes R1.
    private void EmitLength(short field)
    {
        code.LoadFrom(Width.Half, Register.R1, Register.R4, field);
        code.SwapToNetworkOrder(Register.R1, 16);
        code.And(Register.R1, 0xffff);
    }

    // The IP packet at R4, of the length in R1, has to end within the frame, which may be longer: short frames are filled up. R0 and R4 stay.
    private void EmitFits()
    {
        code.Store(Width.Word, Register.R10, Frame.Length, Register.R1);
        hook.EmitEndOf(code, Register.R6, Register.R4, Register.R1, Register.R5);
        code.JumpIf(Condition.Greater, Register.R6, hook.IsXdp ? Register.R3 : Register.R5, pass);
    }

    private void EmitAddresses4(Register header, short source, short destination)
    {
        code.LoadFrom(Width.Word, Register.R1, header, source);
        code.Store(Width.Word, Register.R10, Frame.Key + 12, Register.R1);
        for (short i = 0; i < 4; i += 2)
        {
            code.LoadFrom(Width.Half, Register.R1, header, (short)(destination + i));
            code.Store(Width.Half, Register.R10, (short)(Frame.Destination + 12 + i), Register.R1);
        }

        code.LoadFrom(Width.Word, Register.R1, header, destination);
        code.Store(Width.Word, Register.R10, Frame.Service + 12, Register.R1);
    }

    private void EmitAddresses6(Register header, short source, short destination)
    {
        for (short i = 0; i < 16; i += 4)
        {
            code.LoadFrom(Width.Word, Register.R1, header, (short)(source + i));
            code.Store(Width.Word, Register.R10, (short)(Frame.Key + i), Register.R1);
            code.LoadFrom(Width.Word, Register.R1, header, (short)(destination + i));
            code.Store(Width.Word, Register.R10, (short)(Frame.Service + i), Register.R1);
        }

        // After the port of the source the stack is no longer aligned for words.
        for (short i = 0; i < 16; i += 2)
        {
            code.LoadFrom(Width.Half, Register.R1, header, (short)(destination + i));
            code.Store(Width.Half, Register.R10, (short)(Frame.Destination + i), Register.R1);
        }
    }

    private void EmitPorts(short source, short destination)
    {
        code.LoadFrom(Width.Half, Register.R1, Register.R5, source);
        code.Store(Width.Half, Register.R10, Frame.SourcePort, Register.R1);
        code.LoadFrom(Width.Half, Register.R1, Register.R5, destination);
        code.Store(Width.Half, Register.R10, Frame.DestinationPort, Register.R1);
        code.Store(Width.Half, Register.R10, Frame.ServicePort, Register.R1);
    }

    private void EmitType(byte type, byte subtype)
    {
        EmitByte(Register.R5, 0, type);
        EmitByte(Register.R5, 1, subtype);
    }

    private void EmitByte(Register at, short offset, int value)
    {
        code.LoadFrom(Width.Byte, Register.R1, at, offset);
        code.JumpIf(Condition.NotEqual, Register.R1, value, pass);
    }

    // A packet that ends before passes.
    private void EmitNeed(Register at, int bytes)
    {
        code.Move(Register.R6, at);
        code.Add(Register.R6, bytes);
        code.JumpIf(Condition.Greater, Register.R6, Register.R3, pass);
    }
}
