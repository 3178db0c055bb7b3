namespace L4Balancer.Engine.Linux;

/// <summary>
/// A socket filter (socket(7), SO_ATTACH_FILTER; classic BPF) by which a listening TCP socket drops every segment with SYN set. The
/// client retransmits it, and reaches the next listening socket. The kernel also runs the filter of a listening socket on the last ACK of
/// a handshake and on the data that deferred accepts require: a filter that dropped everything would lose handshakes in progress.
/// </summary>
internal static unsafe class SynFilter
{
    // linux/filter.h and linux/bpf_common.h.
    private const ushort LoadByte = 0x30;
    private const ushort JumpIfSet = 0x45;
    private const ushort Return = 0x06;

    /// <summary>A filter sees a TCP segment from its header on; the flags are at this offset (RFC 9293, 3.1).</summary>
    private const uint FlagsOffset = 13;
    private const uint Syn = 0x02;
    private const uint Whole = uint.MaxValue;

    /// <summary>ENOMEM: net.core.optmem_max does not allow it; the socket is unchanged.</summary>
    public static SysResult Attach(int socket)
    {
        Instruction* program = stackalloc Instruction[4];
        program[0] = new Instruction(LoadByte, 0, 0, FlagsOffset);
        program[1] = new Instruction(JumpIfSet, 0, 1, Syn);
        program[2] = new Instruction(Return, 0, 0, 0);
        program[3] = new Instruction(Return, 0, 0, Whole);
        var filter = new Program { Length = 4, Instructions = program };
        return SysResult.From(Libc.setsockopt(socket, Libc.SOL_SOCKET, Libc.SO_ATTACH_FILTER, &filter, (uint)sizeof(Program)));
    }

    /// <summary>ENOENT: no filter is attached.</summary>
    public static SysResult Detach(int socket) => TcpSocket.SetOption(socket, Libc.SOL_SOCKET, Libc.SO_DETACH_FILTER, 0);

    /// <summary>struct sock_filter.</summary>
    private readonly record struct Instruction(ushort Code, byte IfTrue, byte IfFalse, uint Constant);

    /// <summary>struct sock_fprog.</summary>
    private struct Program
    {
        public ushort Length;
        public Instruction* Instructions;
    }
}
