using System.Text.Json.Serialization;
using L4Balancer.Core.Config;

namespace L4Balancer.Configuration;

[JsonSerializable(typeof(BalancerConfig))]
internal sealed partial class ConfigJsonContext : JsonSerializerContext;
