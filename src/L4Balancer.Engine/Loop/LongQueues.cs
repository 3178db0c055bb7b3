using L4Balancer.Core.Timing;
using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// The directions of one thread whose sink may use the kernel's whole send queue. Every other sink has <see cref="SocketOptions.UnsentLimit"/>,
/// which costs a bulk transfer about 15% more CPU time per GiB. A direction that has delivered much in bulk (<see cref="Flow.IsLongStream"/>) gets
/// one of a fixed number of places, and gives it back when it is no longer in bulk, or ends. So the memory of peers that stop reading in the
/// middle of a bulk transfer is bounded.
/// </summary>
internal sealed class LongQueues(SlotTable slots)
{
    /// <summary>With tcp_wmem's usual maximum of 4 MiB, 128 MiB a thread at the most.</summary>
    public const int Places = 32;

    /// <summary>A connection without a byte for this long loses its place when another one needs it.</summary>
    public static readonly TimeSpan Quiet = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan BetweenSearches = TimeSpan.FromSeconds(1);

    // By place: twice the index of the slot, and 1 more for its direction towards the backend; -1: free.
    private readonly int[] _owners = [.. Enumerable.Repeat(-1, Places)];
    private Instant _nextSearch;

    public int InUse { get; private set; }

    /// <summary>Lifts the limit of the sink if there is a place.</summary>
    public void Enter(ref Slot slot, bool toBackend, Instant now)
    {
        ref Flow flow = ref FlowOf(ref slot, toBackend);
        if (flow.LongQueue != 0 || (InUse == Places && !MakeRoom(now)))
        {
            return;
        }

        int place = Array.IndexOf(_owners, -1);
        _owners[place] = (slot.Index * 2) + (toBackend ? 1 : 0);
        flow.LongQueue = (byte)(place + 1);
        InUse++;
        SocketOptions.SetUnsentLimit(SinkOf(slot, toBackend), SocketOptions.NoUnsentLimit);
    }

    /// <summary>Sets the limit of the sink again. What is queued already stays.</summary>
    public void Leave(ref Slot slot, bool toBackend)
    {
        if (FlowOf(ref slot, toBackend).LongQueue != 0)
        {
            Forget(ref FlowOf(ref slot, toBackend));
            SocketOptions.SetUnsentLimit(SinkOf(slot, toBackend), SocketOptions.UnsentLimit);
        }
    }

    /// <summary>Gives the place back without a system call: the sink is about to be closed.</summary>
    public void Forget(ref Flow flow)
    {
        if (flow.LongQueue != 0)
        {
            _owners[flow.LongQueue - 1] = -1;
            flow.LongQueue = 0;
            InUse--;
        }
    }

    // A peer that has stopped reading, or a stream that fell silent after its last byte, has no turn in which it could leave by itself.
    private bool MakeRoom(Instant now)
    {
        if (now < _nextSearch)
        {
            return false;
        }

        _nextSearch = now + BetweenSearches;
        foreach (int owner in _owners)
        {
            ref Slot slot = ref slots[owner / 2];
            if (now - slot.LastActivity >= Quiet)
            {
                Leave(ref slot, toBackend: owner % 2 != 0);
                return true;
            }
        }

        return false;
    }

    private static ref Flow FlowOf(ref Slot slot, bool toBackend) => ref toBackend ? ref slot.ToBackend : ref slot.ToClient;

    private static int SinkOf(in Slot slot, bool toBackend) => toBackend ? slot.Backend : slot.Client;
}
