using System.Text.Json;

namespace L4Balancer.Fleet;

/// <summary>
/// The place of a process in its fleet, for the process that replaces it: the others go on to see the same member, and its key stays. Immutable.
/// </summary>
/// <param name="Instance">What the member is told from another process with its id by.</param>
/// <param name="Lease">Of the store; 0: there was none yet.</param>
/// <param name="Revision">Of the member's key; 0: it was not written yet.</param>
/// <param name="Members">Who lived last, this member included, by id: they are believed until the store has been read.</param>
internal sealed record CarriedMembership(string Instance, long Lease, long Revision, IReadOnlyDictionary<string, MemberDocument>? Members = null)
{
    private const int LongestInstance = 256;
    private const int LargestText = 16 * 1024 * 1024;

    /// <summary>UTF-8 of JSON, so that an older or newer process reads what it knows.</summary>
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, FleetJson.Default.CarriedMembership);

    /// <returns>Null: it is none, and the process joins anew.</returns>
    public static CarriedMembership? Read(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return bytes.Length <= LargestText && JsonSerializer.Deserialize(bytes, FleetJson.Default.CarriedMembership) is
            { Instance.Length: > 0 and <= LongestInstance, Revision: >= 0 } carried
                && carried.Members?.Any(static m => m.Value is null) != true ? carried : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
