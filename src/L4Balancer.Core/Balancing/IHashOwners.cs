namespace L4Balancer.Core.Balancing;

/// <summary>A table in which every hash has an owner: a ring, or Maglev's.</summary>
internal interface IHashOwners
{
    /// <summary>The member that owns a hash, dead or alive. Needs a member.</summary>
    int OwnerOf(ulong hash);
}
