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
    private const short BufferInterface = 40;

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

    /// <summary>Loads the bytes of the packet, its Ethernet header among them. In tc that may be several segments in one buffer.</summary>
    /// <param name="spare">Is lost.</param>
    public void EmitLength(BpfAssembler code, Register to, Register spare)
    {
        if (_isXdp)
        {
            EmitBounds(code, spare, to);
            code.Subtract(to, spare);
        }
        else
        {
            code.LoadFrom(Width.Word, to, Register.R9, BufferLength);
        }
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
