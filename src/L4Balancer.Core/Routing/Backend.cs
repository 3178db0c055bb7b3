using System.Collections.Immutable;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Ports;

namespace L4Balancer.Core.Routing;

/// <summary>One backend of one pool in one snapshot.</summary>
/// <param name="Index">Its place in <see cref="Pool.Backends"/>.</param>
/// <param name="Weight">In force: the file's, or what an operator set at run time.</param>
public sealed record Backend(int Index, BackendSettings Settings, BackendCell Cell, int Weight)
{
    public string Name => Settings.Name;

    /// <summary>Where to connect; meaningless where it is not known.</summary>
    public Endpoint Endpoint { get; init; } = Settings.Endpoint ?? default;

    /// <summary>False for a host name that stands for no address: nobody can be sent there.</summary>
    public bool IsResolved => Endpoint.Port != 0;

    /// <summary>The same at the address that its name stands for; none where that is null.</summary>
    public Backend At(HostAddress? address) => Settings.Host is { } name
        ? this with { Endpoint = address is { } known ? new Endpoint(known, name.Port) : default }
        : this;

    /// <summary>The pool's sources that can reach it, each with the ports that are in use towards it.</summary>
    public ImmutableArray<PortUse> Sources { get; init; } = [];

    /// <summary>Whether all of it has the same values, and the same objects count for it.</summary>
    internal bool HasSameValues(Backend other) => Sources.SequenceEqual(other.Sources) && this with { Sources = other.Sources } == other;
}
