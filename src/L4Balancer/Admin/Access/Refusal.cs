namespace L4Balancer.Admin.Access;

/// <summary>Why a request is not answered.</summary>
/// <param name="Status">401 or 403.</param>
/// <param name="Detail">With the mend.</param>
/// <param name="Challenge">Of a 401 (RFC 6750, 3).</param>
internal sealed record Refusal(int Status, string Detail, string? Challenge = null);
