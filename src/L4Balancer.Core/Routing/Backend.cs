using System.Collections.Immutable;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Ports;

namespace L4Balancer.Core.Routing;

/// <summary>One backend of one pool in one snapshot.</summary>
/// <param name="Index">Its index in <see cref="Pool.Backends"/>.</param>
/// <param name="Weight">The weight in force: the file's, or what an operator set at run time.</param>
public sealed record Backend(int Index, BackendSettings Settings, BackendState State, int Weight)
{
    public string Name => Settings.Name;

    /// <summary>The address to connect to; undefined if <see cref="IsResolved"/> is false.</summary>
    public Endpoint Endpoint { get; init; } = Settings.Endpoint ?? default;

    /// <summary>False for a host name that resolves to no address: no connection can be sent there.</summary>
    public bool IsResolved => Endpoint.Port != 0 || Endpoint.IsUnix;

    /// <summary>The other addresses of its name, in the order in which they are tried if connects to the current one fail.</summary>
    public ImmutableArray<HostAddress> OtherAddresses { get; init; } = [];

    /// <summary>A copy with the addresses that its name resolves to; without an address if that is null.</summary>
    public Backend At(NameAddresses? addresses) => Settings.Host is { } name
        ? this with
        {
            Endpoint = addresses is null ? default : new Endpoint(addresses.Current, name.Port),
            OtherAddresses = addresses?.Others ?? [],
        }
        : this;

    /// <summary>The pool's sources that can reach it, each with the ports that are in use towards it.</summary>
    public ImmutableArray<PortUse> Sources { get; init; } = [];

    /// <summary>Whether all values are equal, and the counting objects are the same.</summary>
    internal bool HasSameValues(Backend other) =>
        Sources.SequenceEqual(other.Sources) && OtherAddresses.SequenceEqual(other.OtherAddresses)
        && this with { Sources = other.Sources, OtherAddresses = other.OtherAddresses } == other;
}
