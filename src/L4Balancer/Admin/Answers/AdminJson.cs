using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace L4Balancer.Admin.Answers;

/// <summary>The types of requests and answers, serialized by generated code.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(AgesAnswer))]
[JsonSerializable(typeof(BackendAnswer))]
[JsonSerializable(typeof(BackendsAnswer))]
[JsonSerializable(typeof(ClosingAnswer))]
[JsonSerializable(typeof(ClosingManyAnswer))]
[JsonSerializable(typeof(ConnectionsAnswer))]
[JsonSerializable(typeof(EventsAnswer))]
[JsonSerializable(typeof(JsonObject))]
[JsonSerializable(typeof(LocateAnswer))]
[JsonSerializable(typeof(Problem))]
[JsonSerializable(typeof(RebalanceAnswer))]
[JsonSerializable(typeof(ReloadAnswer))]
[JsonSerializable(typeof(StatusAnswer))]
[JsonSerializable(typeof(WeightRequest))]
internal sealed partial class AdminJson : JsonSerializerContext;
