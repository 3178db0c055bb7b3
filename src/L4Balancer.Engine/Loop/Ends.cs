using L4Balancer.Core.Connections;

namespace L4Balancer.Engine.Loop;

/// <summary>The two sockets of a slot, as source and sink of one direction.</summary>
internal readonly ref struct Ends
{
    public readonly Side From;
    public readonly Side To;
    public readonly int Source;
    public readonly int Sink;
    public readonly ref SideState SourceState;
    public readonly ref SideState SinkState;

    public Ends(ref Slot slot, bool toBackend)
    {
        From = toBackend ? Side.Client : Side.Backend;
        To = toBackend ? Side.Backend : Side.Client;
        Source = toBackend ? slot.Client : slot.Backend;
        Sink = toBackend ? slot.Backend : slot.Client;
        SourceState = ref toBackend ? ref slot.ClientState : ref slot.BackendState;
        SinkState = ref toBackend ? ref slot.BackendState : ref slot.ClientState;
    }
}
