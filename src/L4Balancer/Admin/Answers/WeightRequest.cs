using System.Text.Json.Serialization;

namespace L4Balancer.Admin.Answers;

/// <summary>PUT …/weight.</summary>
/// <param name="Weight">0 to 1000; 0: no new connections.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record WeightRequest([property: JsonRequired] int Weight);
