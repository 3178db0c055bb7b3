using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;

namespace L4Balancer.Core.Routing;

/// <summary>One backend of one pool in one snapshot.</summary>
/// <param name="Index">Its place in <see cref="Pool.Backends"/>.</param>
/// <param name="Weight">In force: the file's, or what an operator set at run time.</param>
public sealed record Backend(int Index, BackendSettings Settings, BackendCell Cell, int Weight)
{
    public string Name => Settings.Name;

    public Endpoint Endpoint => Settings.Endpoint;
}
