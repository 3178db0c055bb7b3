using L4Balancer.Core.Addressing;

namespace L4Balancer.Core.Balancing;

/// <summary>
/// How hashed choices skip members that cannot take the connection: the key is hashed again with another seed, so that the share of
/// an unavailable member is spread over the others by weight (docs/hashing.md). Bounded by 33 hashes on the table, 16 draws among the
/// available members and one pass over them.
/// </summary>
internal static class Walk
{
    /// <summary>No member can take the connection.</summary>
    public const int None = -1;

    // With a tenth of the members available, 33 hashes miss all of them in 3% of the cases; a draw among the available ones follows.
    private const ulong LastRehash = 32;
    private const ulong LastDraw = LastRehash + 16;

    /// <param name="owners">Assigns hashes to members, whether these are available or not.</param>
    public static int Pick<TOwners>(
        TOwners owners, in FourTuple tuple, TupleFields fields, LivingSet living, ReadOnlySpan<ushort> tried, IAdmission? admission)
        where TOwners : IHashOwners
    {
        Span<byte> buffer = stackalloc byte[TupleHash.MaxLength];
        ReadOnlySpan<byte> key = buffer[..TupleHash.Write(tuple, fields, buffer)];
        ulong first = XxHash64.Hash(key, 0);
        for (ulong seed = 0; seed <= LastRehash; seed++)
        {
            int owner = owners.OwnerOf(seed == 0 ? first : XxHash64.Hash(key, seed));
            if (living.Contains(owner) && Takes((ushort)owner, tried, admission, first))
            {
                return owner;
            }
        }

        return Draw(key, first, living, tried, admission);
    }

    private static int Draw(ReadOnlySpan<byte> key, ulong first, LivingSet living, ReadOnlySpan<ushort> tried, IAdmission? admission)
    {
        int place = 0;
        for (ulong seed = LastRehash + 1; seed <= LastDraw; seed++)
        {
            place = living.PlaceOf(XxHash64.Hash(key, seed));
            if (Takes(living.At(place), tried, admission, first))
            {
                return living.At(place);
            }
        }

        // Members with almost all of the weight were tried or are full: take the next in address order after the last draw.
        for (int left = living.Count; left > 0; left--)
        {
            place = place + 1 == living.Count ? 0 : place + 1;
            if (Takes(living.At(place), tried, admission, first))
            {
                return living.At(place);
            }
        }

        return None;
    }

    private static bool Takes(ushort member, ReadOnlySpan<ushort> tried, IAdmission? admission, ulong hash) =>
        !tried.Contains(member) && (admission is null || admission.Admits(member, hash));
}
