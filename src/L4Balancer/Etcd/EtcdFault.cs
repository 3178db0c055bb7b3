using System.Text.Json;
using L4Balancer.Stores;

namespace L4Balancer.Etcd;

/// <summary>
/// Which errors of etcd's gateway another member may not have, and which a new token ends (etcd, api/v3rpc/rpctypes/error.go).
/// </summary>
internal static class EtcdFault
{
    // google.rpc.Code: cancelled, unknown, deadline exceeded, resource exhausted, internal, unavailable.
    private static readonly int[] OfMember = [1, 2, 4, 8, 13, 14];

    // An invalid token, an old one, and one that is missing because users were switched on later.
    private static readonly string[] OfTokens =
        ["invalid auth token", "revision of auth store is old", "revision in header is old", "user name is empty"];

    /// <summary>The failure that an answer of another status than 200 is.</summary>
    public static StoreResult<StoreAnswer> Of(StoreAnswer answer)
    {
        GatewayFault? fault = Read(answer.Body);
        string? text = fault?.Message ?? fault?.Error;
        string line = text is null ? answer.Describe() : $"{answer.Place}: {StoreAnswer.Quote(text)}";
        return fault is null || answer.Status >= 500 || OfMember.Contains(fault.Code)
            ? StoreResult<StoreAnswer>.Failed(line) : StoreResult<StoreAnswer>.Refused(line);
    }

    public static bool IsOfToken(string fault) => OfTokens.Any(t => fault.Contains(t, StringComparison.Ordinal));

    private static GatewayFault? Read(byte[] body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, EtcdJson.Default.GatewayFault);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
