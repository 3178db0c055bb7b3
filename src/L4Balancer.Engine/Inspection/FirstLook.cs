using L4Balancer.Core.Connections;

namespace L4Balancer.Engine.Inspection;

/// <summary>What one look at the first bytes of a client has led to.</summary>
/// <param name="IsDecided">False: more bytes are needed.</param>
/// <param name="Step">If decided, what follows; <see cref="SetupAction.Inspect"/>: look again, at what follows the bytes consumed.</param>
/// <param name="Needed">If not decided, how many bytes are needed in all.</param>
/// <param name="Consumed">How many bytes, from the first, belong to a PROXY header and are not forwarded.</param>
internal readonly record struct FirstLook(bool IsDecided, SetupStep Step, int Needed, int Consumed)
{
    public static FirstLook NeedMore(int needed) => new(false, default, needed, 0);

    public static FirstLook Decided(SetupStep step, int consumed = 0) => new(true, step, 0, consumed);
}
