using System.Collections.Immutable;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Dns;
using L4Balancer.Core.Fleet;

namespace L4Balancer.Fleet;

/// <summary>
/// The public addresses of the balancers of the fleet that live and take connections, and those of this balancer always: it answers, so it lives,
/// whatever the store says.
/// </summary>
/// <param name="own">The addresses of this balancer in the configuration in force.</param>
/// <param name="isReady">Whether this balancer takes connections.</param>
internal sealed class FleetAddresses(FleetService fleet, Func<ImmutableArray<HostAddress>> own, Func<bool> isReady) : IBalancerAddresses
{
    private volatile Known? _known;

    public ImmutableArray<HostAddress> Living
    {
        get
        {
            ImmutableArray<FleetMember> members = fleet.Status.Members;
            (ImmutableArray<HostAddress> mine, bool ready) = (own(), isReady());
            if (_known is { } known && known.Members == members && known.Own == mine && known.IsReady == ready)
            {
                return known.Living;
            }

            var now = new Known(members, mine, ready, Of(members.Where(m => m.Id != fleet.Id), mine, ready));
            if (_known is { } before && before.Living.SequenceEqual(now.Living))
            {
                now = now with { Living = before.Living };
            }

            _known = now;
            return now.Living;
        }
    }

    // One that drains is left out as long as another takes connections.
    private static ImmutableArray<HostAddress> Of(IEnumerable<FleetMember> others, ImmutableArray<HostAddress> own, bool isReady)
    {
        HostAddress[] ready = [.. others.Where(static m => m.IsReady).SelectMany(static m => m.Addresses).Select(Parse).OfType<HostAddress>()];
        return [.. (isReady || ready.Length == 0 ? ready.Concat(own) : ready).Distinct().OrderBy(static a => a.ToString(), StringComparer.Ordinal)];
    }

    private static HostAddress? Parse(string text) => HostAddress.TryParse(text, out HostAddress address) ? address : null;

    private sealed record Known(
        ImmutableArray<FleetMember> Members, ImmutableArray<HostAddress> Own, bool IsReady, ImmutableArray<HostAddress> Living);
}
