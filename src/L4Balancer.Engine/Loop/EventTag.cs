namespace L4Balancer.Engine.Loop;

/// <summary>
/// The data that the poller carries for each registered descriptor: slot index (32 bits), generation (22), attempt (8), side (1). With the
/// top bit set, it is the number of a listening socket or the wake-up.
/// </summary>
internal readonly record struct EventTag(ulong Value)
{
    public const uint GenerationMask = (1u << 22) - 1;

    private const int GenerationShift = 32;
    private const int AttemptShift = 54;
    private const ulong BackendBit = 1UL << 62;
    private const ulong OtherBit = 1UL << 63;
    private const ulong WakeUpValue = ulong.MaxValue;

    public static EventTag WakeUp => new(WakeUpValue);

    public bool IsWakeUp => Value == WakeUpValue;

    public bool IsListening => Value >= OtherBit && !IsWakeUp;

    /// <summary>Index of the slot, or number of the listening socket.</summary>
    public int Index => (int)(uint)Value;

    public bool IsBackend => (Value & BackendBit) != 0;

    public static EventTag Listening(int number) => new(OtherBit | (uint)number);

    public static EventTag Client(in Slot slot) => new((uint)slot.Index | ((ulong)slot.Generation << GenerationShift));

    public static EventTag Backend(in Slot slot) =>
        new(Client(slot).Value | ((ulong)slot.Attempt << AttemptShift) | BackendBit);

    /// <summary>Whether the tag was made for the sockets that the slot has now.</summary>
    public bool IsOf(in Slot slot) =>
        slot.State != SlotState.Free && this == (IsBackend ? Backend(slot) : Client(slot));
}
