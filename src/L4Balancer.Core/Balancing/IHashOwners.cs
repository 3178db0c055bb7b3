namespace L4Balancer.Core.Balancing;

/// <summary>A table that assigns every hash to a member: a ring or a Maglev table.</summary>
internal interface IHashOwners
{
    /// <summary>The member that owns a hash, whether it is available or not. The table must have at least one member.</summary>
    int OwnerOf(ulong hash);
}
