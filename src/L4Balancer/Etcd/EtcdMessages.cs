using System.Text.Json.Serialization;

namespace L4Balancer.Etcd;

// The messages of etcd's v3 API in the JSON of its gateway (etcd's documentation, "gRPC gateway"): only the fields that are used. Keys and
// values are Base64, 64-bit numbers are strings.

internal sealed record RangeRequest(byte[] Key, byte[]? RangeEnd);

internal sealed record RangeResponse(ResponseHeader? Header, KeyValue?[]? Kvs);

internal sealed record PutRequest(byte[] Key, byte[] Value, long Lease);

internal sealed record PutResponse(ResponseHeader? Header);

internal sealed record DeleteRangeRequest(byte[] Key, byte[]? RangeEnd);

internal sealed record DeleteRangeResponse(ResponseHeader? Header, long Deleted);

internal sealed record ResponseHeader(long Revision);

internal sealed record KeyValue(byte[]? Key, byte[]? Value, long CreateRevision, long ModRevision, long Lease);

/// <param name="Target"><c>CREATE</c>, <c>MOD</c> or <c>VALUE</c>.</param>
/// <param name="Result"><c>EQUAL</c>, <c>GREATER</c>, <c>LESS</c> or <c>NOT_EQUAL</c>.</param>
internal sealed record CompareMessage(byte[] Key, string Target, string Result)
{
    public long? CreateRevision { get; init; }

    public long? ModRevision { get; init; }

    public byte[]? Value { get; init; }
}

internal sealed record RequestOperation
{
    public RangeRequest? RequestRange { get; init; }

    public PutRequest? RequestPut { get; init; }

    public DeleteRangeRequest? RequestDeleteRange { get; init; }
}

internal sealed record TxnRequest(CompareMessage[] Compare, RequestOperation[] Success, RequestOperation[] Failure);

internal sealed record ResponseOperation(RangeResponse? ResponseRange);

internal sealed record TxnResponse(ResponseHeader? Header, bool Succeeded, ResponseOperation?[]? Responses);

internal sealed record WatchRequest(WatchCreateRequest CreateRequest);

internal sealed record WatchCreateRequest(byte[] Key, byte[]? RangeEnd, long StartRevision, bool ProgressNotify);

internal sealed record WatchMessage(WatchResponse? Result, GatewayFault? Error);

internal sealed record WatchResponse(
    ResponseHeader? Header, bool Created, bool Canceled, long CompactRevision, string? CancelReason, WatchEvent?[]? Events);

/// <param name="Type"><c>DELETE</c>; missing for a put.</param>
internal sealed record WatchEvent(string? Type, KeyValue? Kv);

internal sealed record LeaseGrantRequest([property: JsonPropertyName("TTL")] long Ttl);

internal sealed record LeaseRequest([property: JsonPropertyName("ID")] long Id);

internal sealed record LeaseResponse(
    [property: JsonPropertyName("ID")] long Id, [property: JsonPropertyName("TTL")] long Ttl, string? Error);

internal sealed record KeepAliveMessage(LeaseResponse? Result, GatewayFault? Error);

internal sealed record EmptyResponse;

internal sealed record AuthenticateRequest(string Name, string Password);

internal sealed record AuthenticateResponse(string? Token);

/// <param name="Code">A status of gRPC; an error of a stream has it as <paramref name="GrpcCode"/>.</param>
internal sealed record GatewayFault(string? Error, string? Message, int Code, int GrpcCode);
