namespace L4Balancer.Engine.Packets;

/// <summary>
/// XXH64 in BPF, over a key of 36 bytes (the whole tuple) or 16 (the source address) on the stack: the same result as Core's
/// <c>XxHash64</c> on the same bytes (docs/hashing.md). Written out without loops: about 90 instructions.
/// </summary>
internal static class KeyHashCode
{
    private const ulong Prime1 = 0x9E37_79B1_85EB_CA87;
    private const ulong Prime2 = 0xC2B2_AE3D_27D4_EB4F;
    private const ulong Prime3 = 0x1656_67B1_9E37_79F9;
    private const ulong Prime4 = 0x85EB_CA77_C2B2_AE63;
    private const ulong Prime5 = 0x27D4_EB2F_1656_67C5;

    private static readonly Register[] Lanes = [Register.R1, Register.R2, Register.R3, Register.R4];

    /// <summary>Bytes of the key of the whole tuple.</summary>
    public const int TupleLength = 36;

    /// <summary>Bytes of the key of the source address.</summary>
    public const int AddressLength = 16;

    /// <summary>Leaves the hash in R0. R1 to R5 are lost.</summary>
    /// <param name="key">Where the key begins on the stack, as an offset to its end: a negative multiple of 8.</param>
    /// <param name="length">36 or 16.</param>
    /// <param name="seed">A register that outlives it: R6 to R9.</param>
    public static void Emit(BpfAssembler code, short key, int length, Register seed)
    {
        int done = 0;
        if (length >= 32)
        {
            EmitStripe(code, key, seed);
            done = 32;
        }
        else
        {
            code.Move(Register.R0, seed);
            AddConstant(code, Register.R0, Prime5);
        }

        code.Add(Register.R0, length);
        for (; length - done >= 8; done += 8)
        {
            code.LoadFrom(Width.Double, Register.R1, Register.R10, (short)(key + done));
            EmitRound(code, Register.R1);
            code.Xor(Register.R0, Register.R1);
            RotateLeft(code, Register.R0, 27);
            MultiplyBy(code, Register.R0, Prime1);
            AddConstant(code, Register.R0, Prime4);
        }

        for (; length - done >= 4; done += 4)
        {
            code.LoadFrom(Width.Word, Register.R1, Register.R10, (short)(key + done));
            MultiplyBy(code, Register.R1, Prime1);
            code.Xor(Register.R0, Register.R1);
            RotateLeft(code, Register.R0, 23);
            MultiplyBy(code, Register.R0, Prime2);
            AddConstant(code, Register.R0, Prime3);
        }

        Fold(code, 33);
        MultiplyBy(code, Register.R0, Prime2);
        Fold(code, 29);
        MultiplyBy(code, Register.R0, Prime3);
        Fold(code, 32);
    }

    // R1 to R4 become the four accumulators, and R0 what they come to.
    private static void EmitStripe(BpfAssembler code, short key, Register seed)
    {
        ReadOnlySpan<ulong> offsets = [unchecked(Prime1 + Prime2), Prime2, 0, unchecked(0 - Prime1)];
        for (int lane = 0; lane < 4; lane++)
        {
            Register accumulator = Lanes[lane];
            code.LoadFrom(Width.Double, accumulator, Register.R10, (short)(key + (lane * 8)));
            MultiplyBy(code, accumulator, Prime2);
            code.Add(accumulator, seed);
            if (offsets[lane] != 0)
            {
                AddConstant(code, accumulator, offsets[lane]);
            }

            RotateLeft(code, accumulator, 31);
            MultiplyBy(code, accumulator, Prime1);
        }

        ReadOnlySpan<int> turns = [1, 7, 12, 18];
        code.Move(Register.R0, 0);
        for (int lane = 0; lane < 4; lane++)
        {
            // The accumulator itself is needed once more.
            code.Move(Register.R5, Lanes[lane]);
            code.ShiftRight(Register.R5, 64 - turns[lane]);
            code.Add(Register.R0, Register.R5);
            code.Move(Register.R5, Lanes[lane]);
            code.ShiftLeft(Register.R5, turns[lane]);
            code.Add(Register.R0, Register.R5);
        }

        for (int lane = 0; lane < 4; lane++)
        {
            EmitRound(code, Lanes[lane]);
            code.Xor(Register.R0, Lanes[lane]);
            MultiplyBy(code, Register.R0, Prime1);
            AddConstant(code, Register.R0, Prime4);
        }
    }

    // A round on an empty accumulator.
    private static void EmitRound(BpfAssembler code, Register lane)
    {
        MultiplyBy(code, lane, Prime2);
        RotateLeft(code, lane, 31);
        MultiplyBy(code, lane, Prime1);
    }

    private static void Fold(BpfAssembler code, int bits)
    {
        code.Move(Register.R1, Register.R0);
        code.ShiftRight(Register.R1, bits);
        code.Xor(Register.R0, Register.R1);
    }

    private static void RotateLeft(BpfAssembler code, Register value, int bits)
    {
        code.Move(Register.R5, value);
        code.ShiftRight(Register.R5, 64 - bits);
        code.ShiftLeft(value, bits);
        code.Or(value, Register.R5);
    }

    private static void MultiplyBy(BpfAssembler code, Register value, ulong constant)
    {
        code.MoveWide(Register.R5, constant);
        code.Multiply(value, Register.R5);
    }

    private static void AddConstant(BpfAssembler code, Register value, ulong constant)
    {
        code.MoveWide(Register.R5, constant);
        code.Add(value, Register.R5);
    }
}
