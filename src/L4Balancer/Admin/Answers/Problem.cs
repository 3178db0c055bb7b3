using System.Text.Json.Serialization;

namespace L4Balancer.Admin.Answers;

/// <summary>An error as RFC 9457 has it.</summary>
/// <param name="Title">The status in words.</param>
/// <param name="Detail">What is wrong here, with the mend.</param>
/// <param name="Errors">Where there is more than one: a line each.</param>
internal sealed record Problem(
    string Type, string Title, int Status, string Detail,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Errors = null)
{
    public const string MediaType = "application/problem+json";
}
