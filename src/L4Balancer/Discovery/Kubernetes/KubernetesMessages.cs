using System.Text.Json.Serialization;

namespace L4Balancer.Discovery.Kubernetes;

// The parts of discovery.k8s.io/v1 that are used (Kubernetes API reference, "EndpointSlice"; API concepts, "Efficient detection of changes").

internal sealed record SliceList(string? Kind, ObjectMeta? Metadata, EndpointSlice?[]? Items);

internal sealed record ObjectMeta(string? Name, string? ResourceVersion);

/// <param name="AddressType"><c>IPv4</c>, <c>IPv6</c> or <c>FQDN</c>.</param>
internal sealed record EndpointSlice(ObjectMeta? Metadata, string? AddressType, SliceEndpoint?[]? Endpoints, SlicePort?[]? Ports);

internal sealed record SliceEndpoint(string?[]? Addresses, EndpointConditions? Conditions, ObjectReference? TargetRef);

internal sealed record EndpointConditions(bool? Ready, bool? Serving, bool? Terminating);

internal sealed record ObjectReference(string? Kind, string? Name);

internal sealed record SlicePort(string? Name, int? Port, string? Protocol);

/// <param name="Type"><c>ADDED</c>, <c>MODIFIED</c>, <c>DELETED</c>, <c>BOOKMARK</c> or <c>ERROR</c>, whose object is a Status.</param>
internal sealed record SliceEvent(string? Type, EventObject? Object);

/// <summary>An <see cref="EndpointSlice"/> or a Status.</summary>
internal sealed record EventObject(
    ObjectMeta? Metadata, string? AddressType, SliceEndpoint?[]? Endpoints, SlicePort?[]? Ports, int? Code, string? Message)
{
    public EndpointSlice Slice => new(Metadata, AddressType, Endpoints, Ports);
}

/// <summary>Reads the answers of Kubernetes by generated code.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(SliceEvent))]
[JsonSerializable(typeof(SliceList))]
internal sealed partial class KubernetesJson : JsonSerializerContext;
