namespace L4Balancer.Core.Balancing;

/// <summary>One backend as the ring sees it.</summary>
/// <param name="Index">What a pick answers: the backend's index in its pool.</param>
/// <param name="Address">The address as written in the configuration; it alone says where on the ring the backend's points lie.</param>
/// <param name="Weight">1 to 1000; 100 is the ordinary one.</param>
public readonly record struct RingMember(int Index, string Address, int Weight);
