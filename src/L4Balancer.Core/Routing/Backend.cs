using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;

namespace L4Balancer.Core.Routing;

/// <summary>One backend of one pool in one snapshot.</summary>
/// <param name="Index">Its place in <see cref="Pool.Backends"/>.</param>
public sealed record Backend(int Index, BackendSettings Settings, BackendCell Cell)
{
    public string Name => Settings.Name;

    public Endpoint Endpoint => Settings.Endpoint;
}
