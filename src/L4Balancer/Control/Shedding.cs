using L4Balancer.Core.Accounting;

namespace L4Balancer.Control;

/// <summary>Connections of one backend that are being closed at a pace: how far it has come, for whoever asks.</summary>
/// <param name="Planned">How many there were to close when it began.</param>
internal sealed record Shedding(BackendCell Cell, CloseReason Reason, int Planned)
{
    private readonly long _before = Cell.Shed[Reason];

    public long Closed => Cell.Shed[Reason] - _before;
}
