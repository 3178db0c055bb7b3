namespace L4Balancer.Engine.Packets;

/// <summary>Bounds how often a processor does something, in intervals of an eighth of a second. Processors do not wait for each other.</summary>
internal static class BudgetCode
{
    /// <summary>Flows that are remembered at their SYN.</summary>
    public const int Syns = 0;

    /// <summary>Messages that a packet is too big.</summary>
    public const int Messages = 1;

    public const int Count = 2;

    /// <summary>Bytes of a value: the time of the first use in nanoseconds, and the number of uses since.</summary>
    public const int ValueLength = 16;

    private const int IntervalsPerSecond = 8;
    private const int Interval = 1_000_000_000 / IntervalsPerSecond;

    /// <summary>Goes on if there is some left, which it takes. R6 to R9 stay, except R7; the number in the frame is lost.</summary>
    /// <param name="budget">Which one.</param>
    /// <param name="spent">Where to go if nothing is left.</param>
    public static void Emit(BpfAssembler code, PacketMaps maps, int budget, int perSecond, Label spent)
    {
        Label within = new();
        code.Store(Width.Word, Register.R10, Frame.Number, budget);
        code.MoveMap(Register.R1, maps.Budgets);
        code.Move(Register.R2, Register.R10);
        code.Add(Register.R2, Frame.Number);
        code.Call(Helper.MapLookup);
        code.JumpIf(Condition.Equal, Register.R0, 0, spent);
        code.Move(Register.R7, Register.R0);
        code.Call(Helper.Nanoseconds);
        code.LoadFrom(Width.Double, Register.R1, Register.R7, 0);
        code.Move(Register.R2, Register.R0);
        code.Subtract(Register.R2, Register.R1);
        code.JumpIf(Condition.Less, Register.R2, Interval, within);
        code.Store(Width.Double, Register.R7, 0, Register.R0);
        code.Store(Width.Double, Register.R7, 8, 0);
        code.Mark(within);
        code.LoadFrom(Width.Double, Register.R1, Register.R7, 8);
        code.JumpIf(Condition.GreaterOrEqual, Register.R1, Math.Max(1, perSecond / IntervalsPerSecond), spent);
        code.Add(Register.R1, 1);
        code.Store(Width.Double, Register.R7, 8, Register.R1);
    }
}
