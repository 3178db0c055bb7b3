using L4Balancer.Core.Accounting;

namespace L4Balancer.Engine.Shedding;

/// <summary>An established connection that may be closed, and where its engine finds it again without searching.</summary>
/// <param name="Worker">With index and generation, where an engine has slots; else the id is enough.</param>
internal readonly record struct ShedCandidate(BackendCell Backend, long Rank, ulong Id, int Worker = 0, int Index = 0, uint Generation = 0);
