using System.Text.Json.Serialization;

namespace L4Balancer.Admin.Answers;

/// <summary>Problem details (RFC 9457).</summary>
/// <param name="Title">The status text.</param>
/// <param name="Detail">What is wrong, with the remedy.</param>
/// <param name="Errors">One line per error if there are several.</param>
internal sealed record Problem(
    string Type, string Title, int Status, string Detail,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Errors = null)
{
    public const string MediaType = "application/problem+json";
}
