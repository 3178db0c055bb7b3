using System.Collections.Immutable;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Dns;

/// <summary>The balancers whose addresses the zone itself has. Any thread may ask, at any time; an answer must come at once.</summary>
public interface IBalancerAddresses
{
    /// <summary>
    /// The public addresses of all balancers of the fleet that take connections, this one included; one that drains is left out as long as
    /// another lives. Empty if none is known. As long as nothing has changed the same array is returned.
    /// </summary>
    ImmutableArray<HostAddress> Living { get; }
}
