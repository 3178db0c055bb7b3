using L4Balancer.Engine.Sockets;

namespace L4Balancer.Engine.Loop;

/// <summary>
/// The directions of one thread whose sink may queue as much as the kernel allows. Every other sink has <see cref="SocketOptions.UnsentLimit"/>,
/// which costs a bulk transfer about 15% more CPU time per GiB (docs/performance.md). A direction that has delivered much in bulk gets a place for
/// as long as it stays so; the number of places is what bounds the memory of peers that stop reading in the middle of it.
/// </summary>
internal sealed class LongQueues
{
    /// <summary>With tcp_wmem's usual maximum of 4 MiB, 128 MiB a thread at the most.</summary>
    public const int Places = 32;

    public int InUse { get; private set; }

    /// <summary>Lifts the limit of the sink, unless every place is taken.</summary>
    public void Enter(ref Flow flow, int sink)
    {
        if (!flow.LongQueue && InUse < Places)
        {
            flow.LongQueue = true;
            InUse++;
            SocketOptions.SetUnsentLimit(sink, SocketOptions.NoUnsentLimit);
        }
    }

    /// <summary>Sets the limit of the sink again. What is queued already stays.</summary>
    public void Leave(ref Flow flow, int sink)
    {
        if (Forget(ref flow))
        {
            SocketOptions.SetUnsentLimit(sink, SocketOptions.UnsentLimit);
        }
    }

    /// <summary>Gives the place back; the sink is about to be closed.</summary>
    /// <returns>The direction had a place.</returns>
    public bool Forget(ref Flow flow)
    {
        bool had = flow.LongQueue;
        flow.LongQueue = false;
        InUse -= had ? 1 : 0;
        return had;
    }
}
