namespace L4Balancer.Engine.Packets;

/// <summary>
/// The choice while members are in slow start, in BPF, as Core's <c>HashPicker.Pick</c> with an admission: a member takes only the share of the keys that
/// its ramp admits, and the others go on to the next seed. After the hashes come 16 draws, then each available member after the last one drawn, in
/// the order of their addresses.
/// </summary>
internal static class RampedChoiceCode
{
    private const int LastDraw = ChoiceCode.LastRehash + 16;

    // The verifier follows each step. Beyond it a key that no other step has placed is chosen for as if no member were in slow start.
    private const int LongestPass = 1024;

    /// <summary>Leaves the member in R0. R1 to R6 and R8 are lost; R7, the table, stays.</summary>
    /// <param name="key">As in <see cref="ChoiceCode.Emit"/>.</param>
    /// <param name="found">Where to go with a member in R0.</param>
    /// <param name="none">Where to go if no member admits the key: then slow start counts for nothing.</param>
    public static void Emit(BpfAssembler code, short key, int length, ChoiceTable table, Label found, Label none)
    {
        Label nextHash = new(), refused = new(), nextDraw = new(), notDrawn = new();
        code.Move(Register.R6, 0);
        KeyHashCode.Emit(code, key, length, Register.R6);
        code.Move(Register.R8, Register.R0);
        code.Mark(nextHash);
        KeyHashCode.Emit(code, key, length, Register.R6);
        ChoiceCode.EmitOwner(code, table, none);
        EmitAdmission(code, table, found, refused, none);
        code.Mark(refused);
        code.Add(Register.R6, 1);
        code.JumpIf(Condition.LessOrEqual, Register.R6, ChoiceCode.LastRehash, nextHash);
        code.Mark(nextDraw);
        KeyHashCode.Emit(code, key, length, Register.R6);
        ChoiceCode.EmitDraw(code, table);
        ChoiceCode.EmitMemberAt(code, table, none);
        EmitAdmission(code, table, found, notDrawn, none);
        code.Mark(notDrawn);
        code.Add(Register.R6, 1);
        code.JumpIf(Condition.LessOrEqual, Register.R6, LastDraw, nextDraw);
        EmitPass(code, table, found, none);
    }

    // From the place in R1 on, around the available members once.
    private static void EmitPass(BpfAssembler code, ChoiceTable table, Label found, Label none)
    {
        Label next = new(), within = new(), refused = new();
        code.Move(Register.R6, 0);
        code.Mark(next);
        code.LoadFrom(Width.Word, Register.R2, Register.R7, ChoiceTable.AvailableAt);
        code.JumpIf(Condition.GreaterOrEqual, Register.R6, Register.R2, none);
        code.Add(Register.R1, 1);
        code.JumpIf(Condition.Less, Register.R1, Register.R2, within);
        code.Move(Register.R1, 0);
        code.Mark(within);
        ChoiceCode.EmitForget(code, Register.R1, Register.R5);
        ChoiceCode.EmitMemberAt(code, table, none);
        EmitAdmission(code, table, found, refused, none);
        code.Mark(refused);
        code.Add(Register.R6, 1);
        code.JumpIf(Condition.Less, Register.R6, Math.Min(table.Members, LongestPass), next);
        code.Jump(none);
    }

    // Whether the member in R0 takes the key, of which R8 is the first hash. R0 and R1 stay.
    private static void EmitAdmission(BpfAssembler code, ChoiceTable table, Label found, Label refused, Label none)
    {
        code.JumpIf(Condition.GreaterOrEqual, Register.R0, table.Members, none);
        code.Move(Register.R2, Register.R7);
        code.Add(Register.R2, Register.R0);
        code.Add(Register.R2, table.TakesAt);
        code.LoadFrom(Width.Byte, Register.R2, Register.R2, 0);
        code.JumpIf(Condition.Equal, Register.R2, 0, refused);
        code.Move(Register.R2, Register.R0);
        code.ShiftLeft(Register.R2, 3);
        code.Add(Register.R2, Register.R7);
        code.Add(Register.R2, table.RampsAt);
        code.LoadFrom(Width.Double, Register.R2, Register.R2, 0);
        code.JumpIf(Condition.Equal, Register.R2, -1, found);
        code.Move(Register.R3, Register.R8);
        code.Xor(Register.R3, Register.R0);
        EmitMix(code);
        code.JumpIf(Condition.Less, Register.R3, Register.R2, found);
    }

    // Core's Mix.Of of R3. R4 and R5 are lost.
    private static void EmitMix(BpfAssembler code)
    {
        code.Add(Register.R3, 1);
        Multiply(0x9E37_79B9_7F4A_7C15);
        Fold(30);
        Multiply(0xBF58_476D_1CE4_E5B9);
        Fold(27);
        Multiply(0x94D0_49BB_1331_11EB);
        Fold(31);

        void Multiply(ulong constant)
        {
            code.MoveWide(Register.R5, constant);
            code.Multiply(Register.R3, Register.R5);
        }

        void Fold(int bits)
        {
            code.Move(Register.R4, Register.R3);
            code.ShiftRight(Register.R4, bits);
            code.Xor(Register.R3, Register.R4);
        }
    }
}
