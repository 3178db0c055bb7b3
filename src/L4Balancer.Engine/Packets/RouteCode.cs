namespace L4Balancer.Engine.Packets;

/// <summary>
/// Asks the kernel's routing table and its neighbours for the way to an address (bpf_fib_lookup), into <see cref="Frame.Route"/>. It answers only where
/// the interface that the packet came from forwards (net.ipv4.conf.INTERFACE.forwarding, net.ipv6.conf.INTERFACE.forwarding).
/// </summary>
internal static class RouteCode
{
    public const short LengthAt = 6;
    public const short InterfaceAt = 8;
    public const short SourceAt = 16;
    public const short DestinationAt = 32;
    public const short OwnMacAt = 52;
    public const short MacAt = 58;

    /// <summary>BPF_FIB_LKUP_RET_FRAG_NEEDED: the packet is larger than the route takes.</summary>
    public const int TooLong = 8;

    private const int Size = 64;

    /// <summary>Clears the parameters and sets the family and the interface of arrival. R1 is lost.</summary>
    public static void EmitPrepare(BpfAssembler code, PacketHook hook, bool isFour)
    {
        const int inet = 2, inet6 = 10;
        for (short i = 0; i < Size; i += 8)
        {
            code.Store(Width.Double, Register.R10, (short)(Frame.Route + i), 0);
        }

        code.Store(Width.Byte, Register.R10, Frame.Route, isFour ? inet : inet6);
        hook.EmitInterface(code, Register.R1);
        code.Store(Width.Word, Register.R10, Frame.Route + InterfaceAt, Register.R1);
    }

    /// <summary>Leaves 0 in R0 if the way is known, otherwise the reason. R1 to R5 are lost.</summary>
    public static void EmitLookup(BpfAssembler code)
    {
        code.Move(Register.R1, Register.R9);
        code.Move(Register.R2, Register.R10);
        code.Add(Register.R2, Frame.Route);
        code.Move(Register.R3, Size);
        code.Move(Register.R4, 0);
        code.Call(Helper.FibLookup);
    }

    /// <summary>Makes the addresses that were found those that the packet leaves with. R1 is lost.</summary>
    public static void EmitTakeMacs(BpfAssembler code)
    {
        for (short i = 0; i < 6; i += 2)
        {
            code.LoadFrom(Width.Half, Register.R1, Register.R10, (short)(Frame.Route + MacAt + i));
            code.Store(Width.Half, Register.R10, (short)(Frame.Macs + i), Register.R1);
            code.LoadFrom(Width.Half, Register.R1, Register.R10, (short)(Frame.Route + OwnMacAt + i));
            code.Store(Width.Half, Register.R10, (short)(Frame.Macs + 6 + i), Register.R1);
        }
    }
}
