namespace L4Balancer.Core.Balancing;

/// <summary>
/// Picks by the connection's key, so that every balancer with the same configuration picks the same backend: <c>ring</c> and <c>maglev</c>,
/// which differ only in the table that assigns hashes to members. Members that cannot take the connection are skipped by hashing the key
/// again with another seed, so that the share of an unavailable member is spread over the others by weight (docs/hashing.md). Bounded by
/// 33 hashes on the table, 16 draws among the available members and one pass over them.
/// </summary>
public abstract class HashPicker : IPicker
{
    /// <summary>No member can take the connection.</summary>
    public const int None = -1;

    // With a tenth of the members available, 33 hashes miss all of them in 3% of the cases; a draw among the available ones follows.
    private const ulong LastRehash = 32;
    private const ulong LastDraw = LastRehash + 16;

    /// <summary>
    /// The index of the member that takes a connection with this key, or <see cref="None"/>. Allocates nothing. Returns immediately if no member is available.
    /// </summary>
    /// <param name="available">The members of this table that are available for new connections.</param>
    /// <param name="tried">Indices of members to which this connection has already failed to connect.</param>
    /// <param name="admission">Decides which members may take one more connection; null means all of them.</param>
    public int Pick(RouteKey key, AvailableSet available, ReadOnlySpan<ushort> tried, IAdmission? admission = null)
    {
        ArgumentNullException.ThrowIfNull(available);
        if (available.Count == 0)
        {
            return None;
        }

        ulong first = key.Hash(0);
        for (ulong seed = 0; seed <= LastRehash; seed++)
        {
            ulong hash = seed == 0 ? first : key.Hash(seed);
            int owner = OwnerOf(hash);
            if (owner != None && available.IsJoining(owner))
            {
                owner = OwnerWithoutJoining(hash, available);
            }

            if (owner != None && available.Contains(owner) && Takes((ushort)owner, tried, admission, first))
            {
                return owner;
            }
        }

        return Draw(key, first, available, tried, admission);
    }

    /// <summary>The member that owns a hash, whether it is available or not; <see cref="None"/> if the table is empty.</summary>
    protected internal abstract int OwnerOf(ulong hash);

    /// <summary>As <see cref="OwnerOf"/>, for a hash whose owner has just joined: the owner as it was before, where the table can say so.</summary>
    protected internal virtual int OwnerWithoutJoining(ulong hash, AvailableSet available) => OwnerOf(hash);

    /// <summary>A hash over the whole table, in which members stand by their names and not by their indices.</summary>
    /// <param name="names">A number for the name of each member, by its index.</param>
    internal abstract ulong HashOfTable(ReadOnlySpan<ulong> names);

    private static int Draw(RouteKey key, ulong first, AvailableSet available, ReadOnlySpan<ushort> tried, IAdmission? admission)
    {
        int place = 0;
        for (ulong seed = LastRehash + 1; seed <= LastDraw; seed++)
        {
            place = available.IndexOf(key.Hash(seed));
            if (Takes(available.At(place), tried, admission, first))
            {
                return available.At(place);
            }
        }

        // Members with almost all of the weight were tried or are full: take the next in address order after the last draw.
        for (int left = available.Count; left > 0; left--)
        {
            place = place + 1 == available.Count ? 0 : place + 1;
            if (Takes(available.At(place), tried, admission, first))
            {
                return available.At(place);
            }
        }

        return None;
    }

    private static bool Takes(ushort member, ReadOnlySpan<ushort> tried, IAdmission? admission, ulong hash) =>
        !tried.Contains(member) && (admission is null || admission.Admits(member, hash));
}
