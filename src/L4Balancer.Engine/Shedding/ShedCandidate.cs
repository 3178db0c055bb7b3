using L4Balancer.Core.Accounting;

namespace L4Balancer.Engine.Shedding;

/// <summary>An established connection that may be closed, with its location, so that its engine finds it without a search.</summary>
/// <param name="Worker">Used together with index and generation by an engine that has slots; otherwise the id suffices.</param>
internal readonly record struct ShedCandidate(BackendState Backend, long Rank, ulong Id, int Worker = 0, int Index = 0, uint Generation = 0);
