using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Dns;

namespace L4Balancer.NameServer;

/// <summary>
/// A balancer without a fleet: its own addresses, as <c>[dns] address</c> has them. Also while it drains, because there is no other that
/// clients could be sent to; when it accepts no connections any more, questions are not answered at all.
/// </summary>
/// <param name="settings">Those in force.</param>
internal sealed class OwnAddresses(Func<DnsSettings> settings) : IBalancerAddresses
{
    public ImmutableArray<HostAddress> Living => settings().Address;
}
