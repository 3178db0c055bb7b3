namespace L4Balancer.Engine.Packets;

/// <summary>
/// Registers of the BPF machine: R0 is what a call returns, R1 to R5 are its arguments and lost by it, R6 to R9 outlive it, and R10 is the end of the
/// stack of 512 bytes.
/// </summary>
internal enum Register : byte
{
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
}

/// <summary>How many bytes a load or store moves, as in the opcode.</summary>
internal enum Width : byte
{
    Word = 0x00,
    Half = 0x08,
    Byte = 0x10,
    Double = 0x18,
}

/// <summary>When a jump is taken, as in the opcode; comparisons are of unsigned numbers of 64 bits.</summary>
internal enum Condition : byte
{
    Equal = 0x10,
    Greater = 0x20,
    GreaterOrEqual = 0x30,
    AnyBitOf = 0x40,
    NotEqual = 0x50,
    Less = 0xa0,
    LessOrEqual = 0xb0,
}

/// <summary>A place in a program that jumps lead to.</summary>
internal sealed class Label
{
    public int Place { get; set; } = -1;
}

/// <summary>
/// Writes a program for the kernel's BPF machine (RFC 9669), instruction by instruction, with labels in place of distances. A program made here
/// needs neither a compiler nor a loader where it runs. One thread at a time.
/// </summary>
internal sealed class BpfAssembler
{
    private const byte Load = 0x61;
    private const byte StoreValue = 0x62;
    private const byte StoreRegister = 0x63;
    private const byte Jump32 = 0x06;
    private const byte Jump64 = 0x05;
    private const byte Arithmetic64 = 0x07;
    private const byte FromRegister = 0x08;

    private readonly List<ulong> _code = [];
    private readonly List<(int At, Label To)> _jumps = [];

    /// <summary>Arithmetic on 64 bits, as in the opcode.</summary>
    private enum Operation : byte
    {
        Add = 0x00,
        Subtract = 0x10,
        Multiply = 0x20,
        Or = 0x40,
        And = 0x50,
        ShiftLeft = 0x60,
        ShiftRight = 0x70,
        Xor = 0xa0,
        Move = 0xb0,
    }

    /// <summary>The next instruction is what this label means.</summary>
    public void Mark(Label label)
    {
        if (label.Place >= 0)
        {
            throw new InvalidOperationException("a label has one place");
        }

        label.Place = _code.Count;
    }

    public void Move(Register to, Register from) => Compute(Operation.Move, to, from);

    public void Move(Register to, int value) => Compute(Operation.Move, to, value);

    /// <summary>Two instructions.</summary>
    public void MoveWide(Register to, ulong value)
    {
        Write(0x18, to, 0, 0, (int)(uint)value);
        Write(0, 0, 0, 0, (int)(uint)(value >> 32));
    }

    /// <summary>Two instructions; the kernel puts in the address of the map.</summary>
    /// <param name="descriptor">Of the map, valid while the program is loaded.</param>
    public void MoveMap(Register to, int descriptor)
    {
        Write(0x18, to, Register.R1, 0, descriptor);
        Write(0, 0, 0, 0, 0);
    }

    public void Add(Register to, Register value) => Compute(Operation.Add, to, value);

    public void Add(Register to, int value) => Compute(Operation.Add, to, value);

    public void Subtract(Register to, Register value) => Compute(Operation.Subtract, to, value);

    public void Multiply(Register to, Register value) => Compute(Operation.Multiply, to, value);

    public void And(Register to, int value) => Compute(Operation.And, to, value);

    public void Or(Register to, Register value) => Compute(Operation.Or, to, value);

    public void Xor(Register to, Register value) => Compute(Operation.Xor, to, value);

    public void ShiftLeft(Register to, int bits) => Compute(Operation.ShiftLeft, to, bits);

    public void ShiftRight(Register to, int bits) => Compute(Operation.ShiftRight, to, bits);

    /// <summary>Converts between the order of the network and that of the machine.</summary>
    /// <param name="bits">16, 32 or 64.</param>
    public void SwapToNetworkOrder(Register register, int bits) => Write(0xdc, register, 0, 0, bits);

    public void LoadFrom(Width width, Register to, Register address, short offset) => Write((byte)(Load | (byte)width), to, address, offset, 0);

    public void Store(Width width, Register address, short offset, Register value) =>
        Write((byte)(StoreRegister | (byte)width), address, value, offset, 0);

    public void Store(Width width, Register address, short offset, int value) =>
        Write((byte)(StoreValue | (byte)width), address, 0, offset, value);

    public void Jump(Label to)
    {
        _jumps.Add((_code.Count, to));
        Write(Jump64, 0, 0, 0, 0);
    }

    public void JumpIf(Condition condition, Register left, Register right, Label to)
    {
        _jumps.Add((_code.Count, to));
        Write((byte)(Jump64 | FromRegister | (byte)condition), left, right, 0, 0);
    }

    public void JumpIf(Condition condition, Register left, int right, Label to)
    {
        _jumps.Add((_code.Count, to));
        Write((byte)(Jump64 | (byte)condition), left, 0, 0, right);
    }

    /// <summary>As <see cref="JumpIf(Condition, Register, int, Label)"/>, on the lower 32 bits.</summary>
    public void JumpIf32(Condition condition, Register left, int right, Label to)
    {
        _jumps.Add((_code.Count, to));
        Write((byte)(Jump32 | (byte)condition), left, 0, 0, right);
    }

    public void Call(Helper helper) => Write(0x85, 0, 0, 0, (int)helper);

    public void Exit() => Write(0x95, 0, 0, 0, 0);

    /// <summary>The program, eight bytes for each instruction.</summary>
    /// <exception cref="InvalidOperationException">A jump leads nowhere, or further than 32,767 instructions.</exception>
    public ulong[] ToProgram()
    {
        ulong[] program = [.. _code];
        foreach ((int at, Label to) in _jumps)
        {
            int distance = to.Place - at - 1;
            if (to.Place < 0 || distance is < short.MinValue or > short.MaxValue)
            {
                throw new InvalidOperationException($"the jump at {at} leads nowhere, or too far");
            }

            program[at] |= (ulong)(ushort)distance << 16;
        }

        return program;
    }

    private void Compute(Operation operation, Register to, Register value) =>
        Write((byte)(Arithmetic64 | FromRegister | (byte)operation), to, value, 0, 0);

    private void Compute(Operation operation, Register to, int value) => Write((byte)(Arithmetic64 | (byte)operation), to, 0, 0, value);

    private void Write(byte code, Register to, Register from, short offset, int value) =>
        _code.Add(code | ((ulong)to << 8) | ((ulong)from << 12) | ((ulong)(ushort)offset << 16) | ((ulong)(uint)value << 32));
}

/// <summary>Functions of the kernel that a program may call; their numbers are part of its interface (linux/bpf.h, bpf-helpers(7)).</summary>
internal enum Helper
{
    MapLookup = 1,
    MapUpdate = 2,
    MapDelete = 3,
    Nanoseconds = 5,
    Redirect = 23,
    ChecksumDifference = 28,
    ChangeTail = 38,
    PullData = 39,
    AdjustHead = 44,
    AdjustRoom = 50,
    AdjustTail = 65,
    FibLookup = 69,
    ReleaseSocket = 86,
    LookupTcpSocket = 99,
    CheckSynCookie = 100,
}
