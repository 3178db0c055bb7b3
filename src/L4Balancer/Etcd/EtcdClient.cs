using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using L4Balancer.Stores;

namespace L4Balancer.Etcd;

/// <summary>
/// etcd by the JSON gateway of its v3 API (etcd's documentation, "gRPC gateway"; 3.4 and later): reads are linearizable, so that a member
/// without a quorum has no answer. A write whose answer got lost is tried at the next endpoint and may then happen twice. What fails is a
/// value; only the caller's own cancellation is thrown. Members may be called on any thread, at the same time.
/// </summary>
/// <param name="endpoints">At least one; <c>http</c> or <c>https</c>, without a path.</param>
internal sealed class EtcdClient(ImmutableArray<Uri> endpoints, StoreAccess access, StoreHttpOptions options, TimeProvider clock)
    : IDisposable
{
    private readonly EtcdGateway _gateway = new(endpoints, access, options, clock);

    public TimeProvider Clock => clock;

    /// <inheritdoc cref="EtcdGateway.Preferred"/>
    public int Preferred => _gateway.Preferred;

    /// <summary>All keys that begin with a prefix, at one revision.</summary>
    public async Task<StoreResult<EtcdListing>> ListAsync(string prefix, CancellationToken stop)
    {
        var request = new RangeRequest(StartOf(prefix), EndOf(prefix));
        StoreResult<RangeResponse> answer =
            await _gateway.AskAsync("/v3/kv/range", request, EtcdJson.Default.RangeRequest, EtcdJson.Default.RangeResponse, stop);
        if (!answer.IsOk)
        {
            return answer.Failure<EtcdListing>();
        }

        KeyValue?[] found = answer.Value.Kvs ?? [];
        return answer.Value.Header is not { Revision: > 0 } header ? StoreResult<EtcdListing>.Failed("the answer has no revision: this is not etcd")
            : found.Any(static kv => kv?.Key is null) ? StoreResult<EtcdListing>.Failed("an entry of the answer has no key: this is not etcd")
            : new(new EtcdListing([.. found.Select(static kv => EtcdEntry.From(kv!))], header.Revision));
    }

    /// <param name="lease">0: the key stays until it is deleted.</param>
    public async Task<StoreResult<EtcdWritten>> PutAsync(string key, ReadOnlyMemory<byte> value, long lease, CancellationToken stop)
    {
        var request = new PutRequest(Encoding.UTF8.GetBytes(key), value.ToArray(), lease);
        StoreResult<PutResponse> answer =
            await _gateway.AskAsync("/v3/kv/put", request, EtcdJson.Default.PutRequest, EtcdJson.Default.PutResponse, stop);
        return answer.IsOk ? new(new EtcdWritten(answer.Value.Header?.Revision ?? 0, true)) : answer.Failure<EtcdWritten>();
    }

    public Task<StoreResult<EtcdWritten>> DeleteAsync(string key, CancellationToken stop) =>
        DeleteAsync(new DeleteRangeRequest(Encoding.UTF8.GetBytes(key), null), stop);

    /// <summary>Deletes every key that begins with a prefix.</summary>
    public Task<StoreResult<EtcdWritten>> DeleteAllAsync(string prefix, CancellationToken stop) =>
        DeleteAsync(new DeleteRangeRequest(StartOf(prefix), EndOf(prefix)), stop);

    public async Task<StoreResult<EtcdWritten>> CommitAsync(EtcdTransaction transaction, CancellationToken stop)
    {
        StoreResult<TxnResponse> answer =
            await _gateway.AskAsync("/v3/kv/txn", transaction.ToMessage(), EtcdJson.Default.TxnRequest, EtcdJson.Default.TxnResponse, stop);
        if (!answer.IsOk)
        {
            return answer.Failure<EtcdWritten>();
        }

        IEnumerable<KeyValue> found = (answer.Value.Responses ?? []).SelectMany(static r => r?.ResponseRange?.Kvs ?? []).OfType<KeyValue>();
        return new(new EtcdWritten(answer.Value.Header?.Revision ?? 0, answer.Value.Succeeded) { Found = [.. found.Select(EtcdEntry.From)] });
    }

    /// <param name="ttl">Whole seconds; etcd may grant more, at least what its elections take.</param>
    public async Task<StoreResult<EtcdLease>> GrantAsync(TimeSpan ttl, CancellationToken stop)
    {
        var request = new LeaseGrantRequest((long)Math.Ceiling(ttl.TotalSeconds));
        StoreResult<LeaseResponse> answer = await _gateway.AskAsync(
            "/v3/lease/grant", request, EtcdJson.Default.LeaseGrantRequest, EtcdJson.Default.LeaseResponse, stop);
        return !answer.IsOk ? answer.Failure<EtcdLease>()
            : answer.Value is { Id: not 0, Error: null or "" } lease ? new(new EtcdLease(lease.Id, TimeSpan.FromSeconds(lease.Ttl)))
            : StoreResult<EtcdLease>.Refused($"no lease is granted: {StoreAnswer.Quote(answer.Value.Error ?? "")}");
    }

    /// <summary>Renews a lease.</summary>
    /// <returns>A lease with a TTL of zero if it has expired or was revoked: its keys are gone.</returns>
    public async Task<StoreResult<EtcdLease>> KeepAliveAsync(long lease, CancellationToken stop)
    {
        StoreResult<KeepAliveMessage> answer = await _gateway.AskAsync(
            "/v3/lease/keepalive", new LeaseRequest(lease), EtcdJson.Default.LeaseRequest, EtcdJson.Default.KeepAliveMessage, stop);
        return !answer.IsOk ? answer.Failure<EtcdLease>()
            : answer.Value.Result is { } result ? new(new EtcdLease(lease, TimeSpan.FromSeconds(result.Ttl)))
            : StoreResult<EtcdLease>.Failed($"a lease is not renewed: {StoreAnswer.Quote(answer.Value.Error?.Message ?? "no answer")}");
    }

    /// <summary>Ends a lease with its keys. One that has expired is a refusal.</summary>
    public async Task<StoreResult<EtcdLease>> RevokeAsync(long lease, CancellationToken stop)
    {
        StoreResult<EmptyResponse> answer = await _gateway.AskAsync(
            "/v3/lease/revoke", new LeaseRequest(lease), EtcdJson.Default.LeaseRequest, EtcdJson.Default.EmptyResponse, stop);
        return answer.IsOk ? new(new EtcdLease(lease, TimeSpan.Zero)) : answer.Failure<EtcdLease>();
    }

    /// <summary>Reports each change below a prefix from a revision on, until the watch ends.</summary>
    /// <param name="from">The first revision whose change is reported.</param>
    /// <param name="limit">The longest time that it lasts.</param>
    /// <param name="changed">Called for the changes of one or more whole revisions, in order; returns at once.</param>
    public async Task<EtcdWatchEnd> WatchAsync(
        string prefix, long from, TimeSpan limit, Action<EtcdChanges> changed, CancellationToken stop)
    {
        using var elapsed = new CancellationTokenSource(limit, clock);
        var request = new WatchRequest(new WatchCreateRequest(StartOf(prefix), EndOf(prefix), from, ProgressNotify: true));
        StoreResult<StoreStream> opened = await _gateway.OpenAsync("/v3/watch", request, EtcdJson.Default.WatchRequest, stop);
        if (!opened.IsOk)
        {
            return new EtcdWatchEnd(false, opened.Fault);
        }

        using StoreStream stream = opened.Value;
        while (true)
        {
            (ReadOnlyMemory<byte> line, StreamEnd end) = await stream.LineAsync(elapsed.Token, stop);
            if (end == StreamEnd.Elapsed)
            {
                return new EtcdWatchEnd(true, "");
            }

            string fault = end == StreamEnd.None ? Follow(line.Span, changed) : $"the watch has ended: {end}";
            if (fault.Length > 0)
            {
                _gateway.Leave(stream.Place);
                return new EtcdWatchEnd(false, $"{stream.Place}: {fault}");
            }
        }
    }

    public void Dispose() => _gateway.Dispose();

    private async Task<StoreResult<EtcdWritten>> DeleteAsync(DeleteRangeRequest request, CancellationToken stop)
    {
        StoreResult<DeleteRangeResponse> answer = await _gateway.AskAsync(
            "/v3/kv/deleterange", request, EtcdJson.Default.DeleteRangeRequest, EtcdJson.Default.DeleteRangeResponse, stop);
        return answer.IsOk ? new(new EtcdWritten(answer.Value.Header?.Revision ?? 0, answer.Value.Deleted > 0))
            : answer.Failure<EtcdWritten>();
    }

    private static string Follow(ReadOnlySpan<byte> line, Action<EtcdChanges> changed)
    {
        try
        {
            WatchMessage? message = JsonSerializer.Deserialize(line, EtcdJson.Default.WatchMessage);
            if (message?.Result is not { } result)
            {
                return $"the watch has failed: {StoreAnswer.Quote(message?.Error?.Message ?? "no result")}";
            }

            if (result.Canceled)
            {
                return result.CompactRevision > 0 ? "its revision is compacted"
                    : $"the watch is cancelled: {StoreAnswer.Quote(result.CancelReason ?? "")}";
            }

            if (result.Events is { Length: > 0 } events)
            {
                if (events.Any(static e => e?.Kv?.Key is null))
                {
                    return "an event has no key";
                }

                changed(EtcdChanges.From(events, result.Header?.Revision ?? 0));
            }

            return "";
        }
        catch (JsonException e)
        {
            return $"not a message of etcd: {StoreAnswer.Quote(e.Message)}";
        }
    }

    /// <summary>The first key that may begin with the prefix. A key has at least one byte.</summary>
    private static byte[] StartOf(string prefix) => prefix.Length == 0 ? [0] : Encoding.UTF8.GetBytes(prefix);

    /// <summary>The first key behind all that begin with the prefix; for an empty prefix a zero byte, which is every key.</summary>
    private static byte[] EndOf(string prefix)
    {
        byte[] end = Encoding.UTF8.GetBytes(prefix);
        if (end.Length == 0)
        {
            return [0];
        }

        // UTF-8 has no byte of 255, so that there is no carry.
        end[^1]++;
        return end;
    }
}
