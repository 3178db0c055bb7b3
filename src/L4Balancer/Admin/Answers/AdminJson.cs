using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace L4Balancer.Admin.Answers;

/// <summary>The types of requests and answers, serialized by generated code.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultBufferSize = LargeWrite)]
[JsonSerializable(typeof(AgesAnswer))]
[JsonSerializable(typeof(BackendAnswer))]
[JsonSerializable(typeof(BackendsAnswer))]
[JsonSerializable(typeof(ClosingAnswer))]
[JsonSerializable(typeof(ClosingManyAnswer))]
[JsonSerializable(typeof(ConnectionsAnswer))]
[JsonSerializable(typeof(EndpointAnswer))]
[JsonSerializable(typeof(EventsAnswer))]
[JsonSerializable(typeof(FleetAnswer))]
[JsonSerializable(typeof(JsonObject))]
[JsonSerializable(typeof(LocateAnswer))]
[JsonSerializable(typeof(NegotiateAnswer))]
[JsonSerializable(typeof(Problem))]
[JsonSerializable(typeof(RebalanceAnswer))]
[JsonSerializable(typeof(RebalanceEndAnswer))]
[JsonSerializable(typeof(ReloadAnswer))]
[JsonSerializable(typeof(StatusAnswer))]
[JsonSerializable(typeof(UpgradeAnswer))]
[JsonSerializable(typeof(UpgradeRequest))]
[JsonSerializable(typeof(WeightRequest))]
internal sealed partial class AdminJson : JsonSerializerContext
{
    /// <summary>
    /// How many bytes of a large answer are written to its stream at a time. Kestrel requires its minimum rate of each write beyond a
    /// grace period: only if a write takes longer than that period at the minimum rate, the rate holds for the whole answer.
    /// </summary>
    public const int LargeWrite = 256 * 1024;
}
