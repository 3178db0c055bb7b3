namespace L4Balancer.Admin.Access;

/// <summary>The reason why a request is refused.</summary>
/// <param name="Status">401 or 403.</param>
/// <param name="Detail">The reason, with the remedy.</param>
/// <param name="Challenge">The WWW-Authenticate challenge of a 401 (RFC 6750, 3).</param>
internal sealed record Refusal(int Status, string Detail, string? Challenge = null)
{
    /// <summary>Whether a token was sent that is not the right one.</summary>
    public bool IsWrongToken { get; init; }
}
