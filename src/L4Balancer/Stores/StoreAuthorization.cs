using System.Text;

namespace L4Balancer.Stores;

/// <summary>The header of a request that says who asks.</summary>
internal static class StoreAuthorization
{
    /// <summary>
    /// <c>Authorization</c> by a user and password (RFC 7617) or a bearer token (RFC 6750); no header where neither is set.
    /// </summary>
    /// <returns>The headers, or which file cannot be used.</returns>
    public static StoreResult<(string Name, string Value)[]> Of(StoreAccess access)
    {
        StoreResult<string> secret = SecretFile.Read(access.User.Length > 0 ? access.PasswordFile : access.TokenFile);
        return !secret.IsOk ? secret.Failure<(string Name, string Value)[]>()
            : access.User.Length > 0 ? new([("Authorization", "Basic " + Base64($"{access.User}:{secret.Value}"))])
            : secret.Value.Length > 0 ? new([("Authorization", "Bearer " + secret.Value)])
            : new([]);
    }

    /// <summary>The token in a header of the store's own; no header where there is no token.</summary>
    public static StoreResult<(string Name, string Value)[]> Token(StoreAccess access, string header)
    {
        StoreResult<string> token = SecretFile.Read(access.TokenFile);
        return !token.IsOk ? token.Failure<(string Name, string Value)[]>()
            : new(token.Value.Length > 0 ? [(header, token.Value)] : []);
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
