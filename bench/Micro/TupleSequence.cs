using L4Balancer.Core.Addressing;

namespace L4Balancer.Bench.Micro;

/// <summary>Another tuple at every call, without a table of them that would itself take up the cache.</summary>
internal sealed class TupleSequence
{
    private static readonly Endpoint Listener = new(HostAddress.FromV4(0xC633_6401), 443);

    private uint _count;

    public FourTuple Next()
    {
        _count++;
        return new FourTuple(new Endpoint(HostAddress.FromV4(0x0A00_0000 | (_count & 0xFF_FFFF)), (ushort)(_count >> 8)), Listener);
    }
}
