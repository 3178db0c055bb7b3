namespace L4Balancer.Engine.Packets;

/// <summary>
/// The program of a backend that packets reach in tunnels: it takes the outer header off (IPv4 or IPv6, with IPv4 or IPv6 in it) and gives the packet to
/// the kernel as if it had come without one. Runs at XDP. What is no such tunnel passes untouched.
/// <para>
/// With the second chance (docs/packet-backends.md) a packet of no connection of this machine, in an outer header that names another backend
/// (<see cref="OuterHeaderCode"/>), goes on to that one, once: the connection is there if the balancer's table has just changed.
/// </para>
/// </summary>
internal sealed class DecapsulationProgram
{
    private readonly BpfAssembler _code = new();
    private readonly PacketHook _hook = PacketHook.Xdp;
    private readonly DecapsulationMaps _maps;
    private readonly bool _secondChance;
    private readonly Label _pass = new();
    private readonly Label _drop = new();

    private DecapsulationProgram(DecapsulationMaps maps, bool secondChance)
    {
        _maps = maps;
        _secondChance = secondChance;
    }

    public static ulong[] Assemble(DecapsulationMaps maps, bool secondChance) => new DecapsulationProgram(maps, secondChance).Assemble();

    private ulong[] Assemble()
    {
        Label four = new();
        _hook.EmitBegin(_code);
        _hook.EmitBounds(_code, Register.R2, Register.R3);
        _code.Move(Register.R4, Register.R2);
        _code.Add(Register.R4, 14);
        _code.JumpIf(Condition.Greater, Register.R4, Register.R3, _pass);
        ParseCode.EmitVlanTags(_code, _pass);
        _code.JumpIf(Condition.Equal, Register.R1, ParseCode.Network(0x0800), four);
        _code.JumpIf(Condition.NotEqual, Register.R1, ParseCode.Network(0x86dd), _pass);
        EmitOuter(isFour: false);
        _code.Mark(four);
        EmitOuter(isFour: true);
        _code.Mark(_drop);
        _hook.EmitDrop(_code);
        _code.Mark(_pass);
        _hook.EmitPass(_code);
        return _code.ToProgram();
    }

    // R6 becomes the start of the outer header, R7 that of the inner one.
    private void EmitOuter(bool isFour)
    {
        Label innerFour = new();
        EmitNeed(Register.R4, HeaderLength(isFour), _pass);
        _code.Move(Register.R6, Register.R4);
        _code.Move(Register.R7, Register.R5);
        _code.LoadFrom(Width.Byte, Register.R1, Register.R6, 0);
        if (isFour)
        {
            // Without options. The fragments of a tunnel are put together by nobody here.
            _code.JumpIf(Condition.NotEqual, Register.R1, 0x45, _pass);
            EmitIfFragment(Register.R6, _pass);
            _code.LoadFrom(Width.Byte, Register.R1, Register.R6, 9);
        }
        else
        {
            _code.And(Register.R1, 0xf0);
            _code.JumpIf(Condition.NotEqual, Register.R1, 0x60, _pass);
            _code.LoadFrom(Width.Byte, Register.R1, Register.R6, 6);
        }

        _code.JumpIf(Condition.Equal, Register.R1, Frame.InnerFour, innerFour);
        _code.JumpIf(Condition.NotEqual, Register.R1, Frame.InnerSix, _pass);
        EmitInner(isFour, isInnerFour: false);
        _code.Mark(innerFour);
        EmitInner(isFour, isInnerFour: true);
    }

    private void EmitInner(bool isFour, bool isInnerFour)
    {
        Label strip = new();
        EmitNeed(Register.R7, HeaderLength(isInnerFour), _pass);
        _code.LoadFrom(Width.Byte, Register.R1, Register.R7, 0);
        _code.And(Register.R1, 0xf0);
        _code.JumpIf(Condition.NotEqual, Register.R1, isInnerFour ? 0x40 : 0x60, _pass);
        if (_maps.Addresses >= 0)
        {
            EmitIsServed(isInnerFour);
        }

        if (_secondChance)
        {
            EmitIfElsewhere(isFour, isInnerFour, strip);
            EmitSendOn(isFour);
        }

        _code.Mark(strip);
        _hook.EmitKeepTags(_code, _pass);
        for (short i = 0; i < 12; i += 4)
        {
            _code.LoadFrom(Width.Word, Register.R1, Register.R2, i);
            _code.Store(Width.Word, Register.R10, (short)(Frame.Macs + i), Register.R1);
        }

        _hook.EmitGrow(_code, -HeaderLength(isFour), RoomFor.Nothing, _pass);
        _hook.EmitEthernet(_code, isInnerFour ? 0x0800 : 0x86dd, HeaderLength(isInnerFour), _drop);
        EmitCount(DecapsulationMaps.Stripped);
        _hook.EmitPass(_code);
    }

    // Other tunnels of this machine are left alone if the virtual addresses are given. R3 is the end of the packet afterwards.
    private void EmitIsServed(bool isInnerFour)
    {
        if (isInnerFour)
        {
            _code.Store(Width.Double, Register.R10, Frame.Key, 0);
            _code.Store(Width.Word, Register.R10, Frame.Key + 8, unchecked((int)0xffff_0000));
            _code.LoadFrom(Width.Word, Register.R1, Register.R7, 16);
            _code.Store(Width.Word, Register.R10, Frame.Key + 12, Register.R1);
        }

        for (short i = 0; !isInnerFour && i < 16; i += 4)
        {
            _code.LoadFrom(Width.Word, Register.R1, Register.R7, (short)(24 + i));
            _code.Store(Width.Word, Register.R10, (short)(Frame.Key + i), Register.R1);
        }

        PacketProgram.EmitLookup(_code, _maps.Addresses, Frame.Key);
        _code.JumpIf(Condition.Equal, Register.R0, 0, _pass);
        _hook.EmitBounds(_code, Register.R2, Register.R3);
    }

    // Falls through if the outer header names another backend, and the packet is of a connection that is not here but could be: a socket listens. What
    // completes a handshake with a SYN cookie, of which nothing is kept, is here.
    private void EmitIfElsewhere(bool isFour, bool isInnerFour, Label strip)
    {
        const int tcp = 6, listen = 10;
        const short stateAt = 72;
        Label listens = new();
        int header = HeaderLength(isInnerFour);
        EmitIfUnmarked(isFour, strip);
        if (isInnerFour)
        {
            EmitByte(Register.R7, 0, 0x45, strip);
            EmitIfFragment(Register.R7, strip);
        }

        EmitByte(Register.R7, (short)(isInnerFour ? 9 : 6), tcp, strip);
        EmitNeed(Register.R7, header + 20, strip);
        _code.LoadFrom(Width.Byte, Register.R1, Register.R7, (short)(header + 13));
        _code.JumpIf(Condition.AnyBitOf, Register.R1, FlowCode.Syn, strip);

        // Addresses and ports follow each other in the packet as in struct bpf_sock_tuple.
        int tuple = isInnerFour ? 12 : 36;
        for (short i = 0; i < tuple; i += 4)
        {
            _code.LoadFrom(Width.Word, Register.R1, Register.R7, (short)(header + 4 - tuple + i));
            _code.Store(Width.Word, Register.R10, (short)(Frame.Route + i), Register.R1);
        }

        _code.Move(Register.R1, Register.R9);
        _code.Move(Register.R2, Register.R10);
        _code.Add(Register.R2, Frame.Route);
        _code.Move(Register.R3, tuple);
        _code.Move(Register.R4, -1);
        _code.Move(Register.R5, 0);
        _code.Call(Helper.LookupTcpSocket);
        _code.JumpIf(Condition.Equal, Register.R0, 0, strip);
        _code.Move(Register.R8, Register.R0);
        _code.LoadFrom(Width.Word, Register.R1, Register.R8, stateAt);
        _code.JumpIf(Condition.Equal, Register.R1, listen, listens);
        _code.Move(Register.R1, Register.R8);
        _code.Call(Helper.ReleaseSocket);
        _code.Jump(strip);
        _code.Mark(listens);
        _code.Move(Register.R1, Register.R8);
        _code.Move(Register.R2, Register.R7);
        _code.Move(Register.R3, header);
        _code.Move(Register.R4, Register.R7);
        _code.Add(Register.R4, header);
        _code.Move(Register.R5, 20);
        _code.Call(Helper.CheckSynCookie);
        _code.Store(Width.Double, Register.R10, Frame.Value, Register.R0);
        _code.Move(Register.R1, Register.R8);
        _code.Call(Helper.ReleaseSocket);
        _code.LoadFrom(Width.Double, Register.R1, Register.R10, Frame.Value);
        _code.JumpIf(Condition.Equal, Register.R1, 0, strip);
    }

    private void EmitIfUnmarked(bool isFour, Label strip)
    {
        if (isFour)
        {
            _code.LoadFrom(Width.Half, Register.R1, Register.R6, 4);
            _code.JumpIf(Condition.NotEqual, Register.R1, ParseCode.Network(OuterHeaderCode.Mark4), strip);
            return;
        }

        _code.LoadFrom(Width.Word, Register.R1, Register.R6, 0);
        _code.SwapToNetworkOrder(Register.R1, 32);
        _code.And(Register.R1, OuterHeaderCode.Mask6);
        _code.JumpIf(Condition.NotEqual, Register.R1, OuterHeaderCode.Mark6, strip);
    }

    // To the backend that is the source, from this one, without the mark: it does not go further. By the way that the kernel knows, else back to where
    // it came from.
    private void EmitSendOn(bool isFour)
    {
        Label back = new(), known = new();
        RouteCode.EmitPrepare(_code, _hook, isFour);
        short source = (short)(isFour ? 12 : 8), destination = (short)(isFour ? 16 : 24);
        for (short i = 0; i < (isFour ? 4 : 16); i += 4)
        {
            _code.LoadFrom(Width.Word, Register.R1, Register.R6, (short)(source + i));
            _code.LoadFrom(Width.Word, Register.R2, Register.R6, (short)(destination + i));
            _code.Store(Width.Word, Register.R6, (short)(source + i), Register.R2);
            _code.Store(Width.Word, Register.R6, (short)(destination + i), Register.R1);
            _code.Store(Width.Word, Register.R10, (short)(Frame.Route + RouteCode.SourceAt + i), Register.R2);
            _code.Store(Width.Word, Register.R10, (short)(Frame.Route + RouteCode.DestinationAt + i), Register.R1);
        }

        EmitUnmark(isFour);
        _hook.EmitJumpIfTagged(_code, Register.R1, back);
        RouteCode.EmitLookup(_code);
        _code.JumpIf(Condition.NotEqual, Register.R0, 0, back);
        RouteCode.EmitTakeMacs(_code);
        _hook.EmitBounds(_code, Register.R2, Register.R3);
        _code.Move(Register.R4, Register.R2);
        _code.Add(Register.R4, 14);
        _code.JumpIf(Condition.Greater, Register.R4, Register.R3, _drop);
        _code.Jump(known);
        _code.Mark(back);
        _hook.EmitInterface(_code, Register.R1);
        _code.Store(Width.Word, Register.R10, Frame.Route + RouteCode.InterfaceAt, Register.R1);
        _hook.EmitBounds(_code, Register.R2, Register.R3);
        _code.Move(Register.R4, Register.R2);
        _code.Add(Register.R4, 14);
        _code.JumpIf(Condition.Greater, Register.R4, Register.R3, _drop);
        TooBigCode.EmitSwapMacs(_code);
        _code.Mark(known);
        for (short i = 0; i < 12; i += 4)
        {
            _code.LoadFrom(Width.Word, Register.R1, Register.R10, (short)(Frame.Macs + i));
            _code.Store(Width.Word, Register.R2, i, Register.R1);
        }

        EmitCount(DecapsulationMaps.SentOn);
        _hook.EmitLeave(_code);
    }

    private void EmitUnmark(bool isFour)
    {
        const int hopLimit = 64;
        if (!isFour)
        {
            _code.LoadFrom(Width.Word, Register.R1, Register.R6, 0);
            _code.SwapToNetworkOrder(Register.R1, 32);
            _code.And(Register.R1, ~OuterHeaderCode.Mask6);
            _code.SwapToNetworkOrder(Register.R1, 32);
            _code.Store(Width.Word, Register.R6, 0, Register.R1);
            _code.Store(Width.Byte, Register.R6, 7, hopLimit);
            return;
        }

        _code.Store(Width.Half, Register.R6, 4, 0);
        _code.Store(Width.Byte, Register.R6, 8, hopLimit);
        _code.Store(Width.Half, Register.R6, 10, 0);
        _code.Move(Register.R0, 0);
        for (short i = 0; i < OuterHeaderCode.Length4; i += 4)
        {
            _code.LoadFrom(Width.Word, Register.R1, Register.R6, i);
            _code.Add(Register.R0, Register.R1);
        }

        OuterHeaderCode.EmitFold(_code);
        _code.Store(Width.Half, Register.R6, 10, Register.R0);
    }

    private void EmitCount(int what)
    {
        Label uncounted = new();
        _code.Store(Width.Word, Register.R10, Frame.Number, what);
        PacketProgram.EmitLookup(_code, _maps.Counts, Frame.Number);
        _code.JumpIf(Condition.Equal, Register.R0, 0, uncounted);
        _code.LoadFrom(Width.Double, Register.R1, Register.R0, 0);
        _code.Add(Register.R1, 1);
        _code.Store(Width.Double, Register.R0, 0, Register.R1);
        _code.Mark(uncounted);
    }

    // RFC 791: more fragments, or an offset.
    private void EmitIfFragment(Register header, Label fragment)
    {
        _code.LoadFrom(Width.Half, Register.R1, header, 6);
        _code.And(Register.R1, ParseCode.Network(0x3fff));
        _code.JumpIf(Condition.NotEqual, Register.R1, 0, fragment);
    }

    private void EmitByte(Register at, short offset, int value, Label otherwise)
    {
        _code.LoadFrom(Width.Byte, Register.R1, at, offset);
        _code.JumpIf(Condition.NotEqual, Register.R1, value, otherwise);
    }

    // R5 becomes the end of what is needed.
    private void EmitNeed(Register at, int bytes, Label otherwise)
    {
        _code.Move(Register.R5, at);
        _code.Add(Register.R5, bytes);
        _code.JumpIf(Condition.Greater, Register.R5, Register.R3, otherwise);
    }

    private static int HeaderLength(bool isFour) => isFour ? OuterHeaderCode.Length4 : OuterHeaderCode.Length6;
}
