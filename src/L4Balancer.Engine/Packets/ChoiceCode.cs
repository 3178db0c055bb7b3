namespace L4Balancer.Engine.Packets;

/// <summary>
/// The choice of a member in BPF, bit for bit that of Core's <c>HashPicker.Pick</c> on a Maglev table (docs/hashing.md, 6): the owners of the hashes with
/// the seeds 0 to 32, of which the first that is available takes the connection, and otherwise a draw among the available ones with seed 33. While
/// members are in slow start, <see cref="RampedChoiceCode"/> comes first. The key is on the stack, the <see cref="ChoiceTable"/> in a map.
/// </summary>
internal static class ChoiceCode
{
    /// <summary>The last seed with which the owner of the hash is tried.</summary>
    public const int LastRehash = 32;

    /// <summary>Leaves the member in R0. R1 to R6 and R8 are lost; R7 stays.</summary>
    /// <param name="key">Where the key begins on the stack, as an offset to its end: a negative multiple of 8.</param>
    /// <param name="length">Of the key: 36 or 16.</param>
    /// <param name="table">Whose value R7 points to.</param>
    /// <param name="none">Where to go if no member is available.</param>
    public static void Emit(BpfAssembler code, short key, int length, ChoiceTable table, Label none)
    {
        Label next = new(), found = new(), plain = new();
        code.LoadFrom(Width.Word, Register.R1, Register.R7, ChoiceTable.AvailableAt);
        code.JumpIf(Condition.Equal, Register.R1, 0, none);
        code.LoadFrom(Width.Word, Register.R1, Register.R7, ChoiceTable.RampingAt);
        code.JumpIf(Condition.Equal, Register.R1, 0, plain);
        RampedChoiceCode.Emit(code, key, length, table, found, plain);
        code.Mark(plain);
        code.Move(Register.R6, 0);
        code.Mark(next);
        KeyHashCode.Emit(code, key, length, Register.R6);
        EmitOwner(code, table, none);
        code.Move(Register.R1, Register.R7);
        code.Add(Register.R1, Register.R0);
        code.Add(Register.R1, table.TakesAt);
        code.LoadFrom(Width.Byte, Register.R1, Register.R1, 0);
        code.JumpIf(Condition.NotEqual, Register.R1, 0, found);
        code.Add(Register.R6, 1);
        code.JumpIf(Condition.LessOrEqual, Register.R6, LastRehash, next);
        KeyHashCode.Emit(code, key, length, Register.R6);
        EmitDraw(code, table);
        EmitMemberAt(code, table, none);
        code.Mark(found);
    }

    // R0 becomes the upper half of the product of R0 and R1, which is below 2^32: two multiplications of 64 bits.
    private static void EmitUpperProduct(BpfAssembler code)
    {
        code.Move(Register.R2, Register.R0);
        code.ShiftRight(Register.R2, 32);
        code.Multiply(Register.R2, Register.R1);
        code.ShiftLeft(Register.R0, 32);
        code.ShiftRight(Register.R0, 32);
        code.Multiply(Register.R0, Register.R1);
        code.ShiftRight(Register.R0, 32);
        code.Add(Register.R0, Register.R2);
        code.ShiftRight(Register.R0, 32);
    }

    /// <summary>
    /// From the hash in R0 to the member that owns it. The comparisons are for the verifier: a table written by <see cref="ChoiceTable"/> never
    /// fails them.
    /// </summary>
    public static void EmitOwner(BpfAssembler code, ChoiceTable table, Label none)
    {
        code.LoadFrom(Width.Word, Register.R1, Register.R7, ChoiceTable.SizeAt);
        EmitUpperProduct(code);
        code.JumpIf(Condition.GreaterOrEqual, Register.R0, table.Entries, none);
        code.ShiftLeft(Register.R0, 1);
        code.Add(Register.R0, Register.R7);
        code.LoadFrom(Width.Half, Register.R0, Register.R0, ChoiceTable.OwnersAt);
        code.JumpIf(Condition.GreaterOrEqual, Register.R0, table.Members, none);
    }

    /// <summary>
    /// From the hash in R0 to the place, in R1, of the available member whose range of weights it is in: the first at which the sum of weights is
    /// above it.
    /// </summary>
    public static void EmitDraw(BpfAssembler code, ChoiceTable table)
    {
        code.LoadFrom(Width.Word, Register.R1, Register.R7, ChoiceTable.WeightAt);
        EmitUpperProduct(code);
        code.LoadFrom(Width.Word, Register.R1, Register.R7, ChoiceTable.ZeroAt);
        code.LoadFrom(Width.Word, Register.R2, Register.R7, ChoiceTable.AvailableAt);

        // R1 counts the members whose sum is not above x; each step adds half as many as the one before, or none.
        for (int step = table.Members / 2; step > 0; step /= 2)
        {
            Label skip = new();
            code.Move(Register.R3, Register.R1);
            code.Add(Register.R3, step);
            code.JumpIf(Condition.Greater, Register.R3, Register.R2, skip);
            code.JumpIf(Condition.Greater, Register.R3, table.Members, skip);
            code.Move(Register.R4, Register.R3);
            code.ShiftLeft(Register.R4, 2);
            code.Add(Register.R4, Register.R7);
            code.Add(Register.R4, table.SumsAt - sizeof(uint));
            code.LoadFrom(Width.Word, Register.R4, Register.R4, 0);
            code.JumpIf(Condition.Greater, Register.R4, Register.R0, skip);
            code.Move(Register.R1, Register.R3);
            code.Mark(skip);
            EmitForget(code, Register.R1, Register.R5);
        }
    }

    /// <summary>
    /// Adds nothing to a number below 65,536, of which the verifier knows no more than that afterwards: paths that differ only in what it knew are one
    /// from here on. Without it the paths of a search double with each step.
    /// </summary>
    /// <param name="spare">Is lost.</param>
    public static void EmitForget(BpfAssembler code, Register number, Register spare)
    {
        code.LoadFrom(Width.Word, spare, Register.R7, ChoiceTable.ZeroAt);
        code.Add(number, spare);
        code.And(number, ushort.MaxValue);
    }

    /// <summary>From the place in R1, which stays, to the member in R0. R2 is lost.</summary>
    public static void EmitMemberAt(BpfAssembler code, ChoiceTable table, Label none)
    {
        code.JumpIf(Condition.GreaterOrEqual, Register.R1, table.Members, none);
        code.Move(Register.R2, Register.R1);
        code.ShiftLeft(Register.R2, 1);
        code.Add(Register.R2, Register.R7);
        code.Add(Register.R2, table.OrderAt);
        code.LoadFrom(Width.Half, Register.R0, Register.R2, 0);
    }
}
