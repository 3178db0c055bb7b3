using L4Balancer.Bench.Contestants;
using L4Balancer.Bench.Peers;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Bench.Load;

/// <summary>What a burst goes against: a way through a balancer to the backends, and the clock of what the balancer spends.</summary>
internal sealed record Target(Func<PeerRole, Endpoint> Address, Func<long> ProcessorNanoseconds, PeerProcess Peers, Duty Duty = Duty.Relay);
