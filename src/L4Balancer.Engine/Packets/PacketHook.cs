using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Packets;

/// <summary>
/// What differs between the places in the kernel that the packet program runs at: XDP, which has a packet as the driver received it (struct xdp_md), and
/// tc(8), which has the kernel's buffer (struct __sk_buff). R9 is the context from <see cref="EmitBegin"/> on.
/// </summary>
internal sealed class PacketHook
{
    /// <summary>Of the kernel's buffer: its fields in struct __sk_buff (linux/bpf.h).</summary>
    private const short BufferLength = 0;
    private const short BufferTagged = 20;
    private const short BufferInterface = 40;
    private const short BufferSegmentSize = 176;

    /// <summary>Of XDP: in struct xdp_md.</summary>
    private const short ArrivalInterface = 12;

    /// <summary>Bytes of headers that the program may look at; the kernel's buffer may have them in pieces.</summary>
    private const int Headers = 192;

    private readonly bool _isXdp;

    private PacketHook(bool isXdp) => _isXdp = isXdp;

    public static PacketHook Xdp { get; } = new(isXdp: true);

    public static PacketHook Tc { get; } = new(isXdp: false);

    /// <summary>The type that the program is loaded with.</summary>
    public int ProgramType => _isXdp ? Libc.BPF_PROG_TYPE_XDP : Libc.BPF_PROG_TYPE_SCHED_CLS;

    public bool IsXdp => _isXdp;

    /// <summary>XDP_PASS, or TC_ACT_UNSPEC: the next program has its turn.</summary>
    public int Passed => _isXdp ? 2 : -1;

    /// <summary>XDP_DROP, or TC_ACT_SHOT.</summary>
    public int Dropped => _isXdp ? 1 : 2;

    /// <summary>XDP_TX, or TC_ACT_REDIRECT.</summary>
    public int SentBack => _isXdp ? 3 : 7;

    /// <summary>The first instructions: R1 is the context.</summary>
    public void EmitBegin(BpfAssembler code)
    {
        code.Move(Register.R9, Register.R1);
        if (_isXdp)
        {
            return;
        }

        Label whole = new();
        code.Move(Register.R2, Headers);
        code.LoadFrom(Width.Word, Register.R3, Register.R9, BufferLength);
        code.JumpIf(Condition.LessOrEqual, Register.R2, Register.R3, whole);
        code.Move(Register.R2, Register.R3);
        code.Mark(whole);
        code.Call(Helper.PullData);
    }

    /// <summary>Loads where the packet begins and ends. Pointers to it from before a change of its size are void.</summary>
    public void EmitBounds(BpfAssembler code, Register begin, Register end)
    {
        code.LoadFrom(Width.Word, begin, Register.R9, (short)(_isXdp ? 0 : 76));
        code.LoadFrom(Width.Word, end, Register.R9, (short)(_isXdp ? 4 : 80));
    }

    /// <summary>
    /// Loads where an IP packet ends by its own header, to be compared with the end of the frame: of XDP a pointer, of tc a number of bytes, as its
    /// buffer may have the rest elsewhere.
    /// </summary>
    /// <param name="to">Takes the end of the IP packet.</param>
    /// <param name="header">The start of the IP header.</param>
    /// <param name="length">Of the IP packet, in bytes.</param>
    /// <param name="frame">Takes the end of the frame in tc; in XDP it is not changed.</param>
    public void EmitEndOf(BpfAssembler code, Register to, Register header, Register length, Register frame)
    {
        if (_isXdp)
        {
            code.Move(to, header);
            code.Add(to, length);
            return;
        }

        code.LoadFrom(Width.Word, to, Register.R10, Frame.Tags);
        code.Add(to, length);
        code.Add(to, 14);
        code.LoadFrom(Width.Word, frame, Register.R9, BufferLength);
    }

    /// <summary>
    /// Loads 0 if the packet is as large on the wire as it is here. In tc a buffer may hold several segments of a connection, which leave one by one.
    /// </summary>
    public void EmitSegmentSize(BpfAssembler code, Register to)
    {
        if (_isXdp)
        {
            code.Move(to, 0);
        }
        else
        {
            code.LoadFrom(Width.Word, to, Register.R9, BufferSegmentSize);
        }
    }

    /// <summary>Goes on at a label if the packet has a VLAN tag. The register is lost.</summary>
    public void EmitJumpIfTagged(BpfAssembler code, Register spare, Label tagged)
    {
        code.LoadFrom(Width.Word, spare, Register.R10, Frame.Tags);
        code.JumpIf(Condition.NotEqual, spare, 0, tagged);
        if (!_isXdp)
        {
            code.LoadFrom(Width.Word, spare, Register.R9, BufferTagged);
            code.JumpIf(Condition.NotEqual, spare, 0, tagged);
        }
    }

    /// <summary>Loads the number of the interface that the packet came from.</summary>
    public void EmitInterface(BpfAssembler code, Register to) =>
        code.LoadFrom(Width.Word, to, Register.R9, _isXdp ? ArrivalInterface : BufferInterface);

    /// <summary>
    /// Keeps the VLAN tags in the frame, as the bytes after the Ethernet addresses, before <see cref="EmitGrow"/>. In tc only packets without tags in the
    /// data can grow. R2 is the start of the packet, R3 its end afterwards.
    /// </summary>
    public void EmitKeepTags(BpfAssembler code, Label refused)
    {
        EmitBounds(code, Register.R2, Register.R3);
        code.Move(Register.R4, Register.R2);
        code.Add(Register.R4, 34);
        code.JumpIf(Condition.Greater, Register.R4, Register.R3, refused);
        if (!_isXdp)
        {
            code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Tags);
            code.JumpIf(Condition.NotEqual, Register.R1, 0, refused);
            return;
        }

        code.LoadFrom(Width.Word, Register.R1, Register.R2, 12);
        code.Store(Width.Word, Register.R10, Frame.TagBytes, Register.R1);
        code.LoadFrom(Width.Word, Register.R1, Register.R2, 16);
        code.Store(Width.Word, Register.R10, Frame.TagBytes + 4, Register.R1);
    }

    /// <summary>
    /// Makes room before the IP header, or takes it away. The Ethernet header has to be written anew by <see cref="EmitEthernet"/>. Registers other than R6
    /// to R9 are lost.
    /// </summary>
    /// <param name="bytes">Negative: so many are taken away; not in tc.</param>
    /// <param name="encapsulation">For tc: flags of bpf_skb_adjust_room that name the outer header, or none.</param>
    public void EmitGrow(BpfAssembler code, int bytes, RoomFor encapsulation, Label refused)
    {
        code.Move(Register.R1, Register.R9);
        if (_isXdp)
        {
            code.Move(Register.R2, -bytes);
            code.Call(Helper.AdjustHead);
        }
        else
        {
            const int afterEthernet = 1;
            code.Move(Register.R2, bytes);
            code.Move(Register.R3, afterEthernet);
            code.Move(Register.R4, (int)encapsulation);
            code.Call(Helper.AdjustRoom);
        }

        code.JumpIf(Condition.NotEqual, Register.R0, 0, refused);
    }

    /// <summary>Cuts the end of the packet off, so that so many bytes of the IP packet are left. It has to have more.</summary>
    public void EmitCut(BpfAssembler code, int bytes, Label refused)
    {
        code.Move(Register.R1, Register.R9);
        if (_isXdp)
        {
            code.Move(Register.R2, bytes);
            code.LoadFrom(Width.Word, Register.R3, Register.R10, Frame.Length);
            code.Subtract(Register.R2, Register.R3);
            code.Call(Helper.AdjustTail);
        }
        else
        {
            code.Move(Register.R2, 14 + bytes);
            code.Move(Register.R3, 0);
            code.Call(Helper.ChangeTail);
        }

        code.JumpIf(Condition.NotEqual, Register.R0, 0, refused);
    }

    /// <summary>
    /// Writes the Ethernet header from the frame, with its tags. R6 is 14 bytes before the start of the IP header afterwards, of which so many bytes may
    /// be written; R1 to R4 are lost.
    /// </summary>
    /// <param name="type">Of the network header: 0x0800 or 0x86dd.</param>
    public void EmitEthernet(BpfAssembler code, int type, int bytes, Label refused)
    {
        EmitBounds(code, Register.R2, Register.R3);
        code.Move(Register.R6, Register.R2);
        if (_isXdp)
        {
            // The verifier has to see that this is a small number.
            code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Tags);
            code.JumpIf(Condition.Greater, Register.R1, 8, refused);
            code.Add(Register.R6, Register.R1);
        }

        code.Move(Register.R4, Register.R6);
        code.Add(Register.R4, 14 + bytes);
        code.JumpIf(Condition.Greater, Register.R4, Register.R3, refused);
        code.Move(Register.R4, Register.R2);
        code.Add(Register.R4, 34);
        code.JumpIf(Condition.Greater, Register.R4, Register.R3, refused);
        for (short i = 0; i < 12; i += 4)
        {
            code.LoadFrom(Width.Word, Register.R1, Register.R10, (short)(Frame.Macs + i));
            code.Store(Width.Word, Register.R2, i, Register.R1);
        }

        Label written = new();
        for (short i = 0; _isXdp && i < 8; i += 4)
        {
            code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Tags);
            code.JumpIf(Condition.LessOrEqual, Register.R1, i, written);
            code.LoadFrom(Width.Word, Register.R1, Register.R10, (short)(Frame.TagBytes + i));
            code.Store(Width.Word, Register.R2, (short)(12 + i), Register.R1);
        }

        code.Mark(written);
        code.Store(Width.Half, Register.R6, 12, ParseCode.Network(type));
    }

    /// <summary>Ends the program: the packet leaves by the interface whose number is in the parameters of the look-up (<see cref="Frame.Route"/>).</summary>
    public void EmitLeave(BpfAssembler code)
    {
        Label elsewhere = new();
        code.LoadFrom(Width.Word, Register.R1, Register.R10, Frame.Route + RouteCode.InterfaceAt);
        if (_isXdp)
        {
            EmitInterface(code, Register.R2);
            code.JumpIf(Condition.NotEqual, Register.R1, Register.R2, elsewhere);
            code.Move(Register.R0, SentBack);
            code.Exit();
            code.Mark(elsewhere);
        }

        code.Move(Register.R2, 0);
        code.Call(Helper.Redirect);
        code.Exit();
    }

    /// <summary>Ends the program: the packet leaves by the interface that it came from.</summary>
    public void EmitSendBack(BpfAssembler code)
    {
        if (_isXdp)
        {
            code.Move(Register.R0, SentBack);
        }
        else
        {
            code.LoadFrom(Width.Word, Register.R1, Register.R9, BufferInterface);
            code.Move(Register.R2, 0);
            code.Call(Helper.Redirect);
        }

        code.Exit();
    }

    public void EmitPass(BpfAssembler code) => EmitVerdict(code, Passed);

    public void EmitDrop(BpfAssembler code) => EmitVerdict(code, Dropped);

    private static void EmitVerdict(BpfAssembler code, int verdict)
    {
        code.Move(Register.R0, verdict);
        code.Exit();
    }
}

/// <summary>Flags of bpf_skb_adjust_room: what the room is for (bpf-helpers(7)).</summary>
[Flags]
internal enum RoomFor
{
    Nothing = 0,
    Outer4 = 2,
    Outer6 = 4,
}
