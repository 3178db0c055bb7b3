using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using L4Balancer.Stores;

namespace L4Balancer.Etcd;

/// <summary>
/// Requests to the members of one etcd cluster, over the JSON gateway that each has on its client address. One that fails hands over to the
/// next; the one that has answered is asked again. Members may be called on any thread, at the same time.
/// </summary>
internal sealed class EtcdGateway(ImmutableArray<Uri> endpoints, StoreAccess access, StoreHttpOptions options, TimeProvider clock)
    : IDisposable
{
    private readonly StoreHttp _http = new(access, options, clock);
    private volatile int _preferred;
    private volatile string _token = "";

    /// <summary>The index of the endpoint that is asked first: the one that has answered last.</summary>
    public int Preferred => _preferred;

    /// <summary>One request with one answer, tried once at each endpoint.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public async Task<StoreResult<TResponse>> AskAsync<TRequest, TResponse>(
        string path, TRequest request, JsonTypeInfo<TRequest> requestType, JsonTypeInfo<TResponse> responseType, CancellationToken stop)
        where TResponse : class
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(request, requestType);
        StoreResult<StoreAnswer> answer = await EachAsync((endpoint, headers) => AnswerAsync(endpoint, path, json, headers, stop), stop);
        return answer.IsOk ? Parse(answer.Value, responseType) : answer.Failure<TResponse>();
    }

    /// <summary>Opens a stream of lines at the first endpoint that lets it.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public Task<StoreResult<StoreStream>> OpenAsync<TRequest>(
        string path, TRequest request, JsonTypeInfo<TRequest> requestType, CancellationToken stop)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(request, requestType);

        // A member that has lost its leader ends the stream, instead of leaving it without events (clientv3's WithRequireLeader).
        (string, string) leader = ("Grpc-Metadata-hasleader", "true");
        return EachAsync(
            (endpoint, headers) =>
                _http.OpenAsync(new StoreRequest(new Uri(endpoint, path)) { Json = json, Headers = [.. headers, leader] }, stop),
            stop);
    }

    /// <summary>After a stream has ended other than by its own time: the next request goes to another endpoint.</summary>
    public void Leave(string place)
    {
        int preferred = _preferred;
        if (endpoints[preferred].Authority == place)
        {
            _preferred = (preferred + 1) % endpoints.Length;
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<StoreResult<StoreAnswer>> AnswerAsync(
        Uri endpoint, string path, byte[] json, IReadOnlyList<(string, string)> headers, CancellationToken stop)
    {
        var request = new StoreRequest(new Uri(endpoint, path)) { Json = json, Headers = headers };
        StoreResult<StoreAnswer> answer = await _http.SendAsync(request, stop);
        return !answer.IsOk || answer.Value.IsSuccess ? answer : EtcdFault.Of(answer.Value);
    }

    private async Task<StoreResult<T>> EachAsync<T>(
        Func<Uri, IReadOnlyList<(string, string)>, Task<StoreResult<T>>> ask, CancellationToken stop)
        where T : class
    {
        int first = _preferred;
        List<string> faults = [];
        for (int i = 0; i < endpoints.Length; i++)
        {
            int place = (first + i) % endpoints.Length;
            StoreResult<T> result = await WithTokenAsync(endpoints[place], ask, stop);
            if (result.IsOk || result.IsRefusal)
            {
                _preferred = place;
                return result;
            }

            faults.Add(result.Fault);
        }

        // Not the same one first next time, if this one only takes its time to fail.
        _preferred = (first + 1) % endpoints.Length;
        return StoreResult<T>.Failed(string.Join("; ", faults));
    }

    private async Task<StoreResult<T>> WithTokenAsync<T>(
        Uri endpoint, Func<Uri, IReadOnlyList<(string, string)>, Task<StoreResult<T>>> ask, CancellationToken stop)
        where T : class
    {
        for (bool renewed = false; ; renewed = true)
        {
            StoreResult<string> token = access.User.Length == 0 ? SecretFile.Read(access.TokenFile)
                : _token.Length > 0 ? new(_token) : await AuthenticateAsync(endpoint, stop);
            if (!token.IsOk)
            {
                return token.Failure<T>();
            }

            StoreResult<T> result = await ask(endpoint, token.Value.Length == 0 ? [] : [("Authorization", token.Value)]);
            bool isOfToken = !result.IsOk && EtcdFault.IsOfToken(result.Fault);
            if (isOfToken || (!result.IsOk && !result.IsRefusal))
            {
                // A token names a revision, and etcd waits for one that a replaced store has not reached: no answer may be the token's fault too.
                _token = "";
            }

            if (!isOfToken || renewed || access.User.Length == 0)
            {
                return result;
            }
        }
    }

    private async Task<StoreResult<string>> AuthenticateAsync(Uri endpoint, CancellationToken stop)
    {
        StoreResult<string> password = SecretFile.Read(access.PasswordFile);
        if (!password.IsOk)
        {
            return password;
        }

        var request = new AuthenticateRequest(access.User, password.Value);
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(request, EtcdJson.Default.AuthenticateRequest);
        StoreResult<StoreAnswer> answer = await AnswerAsync(endpoint, "/v3/auth/authenticate", json, [], stop);
        if (!answer.IsOk)
        {
            return answer.Failure<string>();
        }

        StoreResult<AuthenticateResponse> response = Parse(answer.Value, EtcdJson.Default.AuthenticateResponse);
        if (!response.IsOk || string.IsNullOrEmpty(response.Value.Token))
        {
            return StoreResult<string>.Failed(response.Fault ?? $"{endpoint.Authority}: no token in the answer");
        }

        _token = response.Value.Token;
        return new(response.Value.Token);
    }

    private static StoreResult<T> Parse<T>(StoreAnswer answer, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(answer.Body, type) is { } message ? new(message)
                : StoreResult<T>.Failed($"{answer.Place}: the answer is null");
        }
        catch (JsonException e)
        {
            return StoreResult<T>.Failed($"{answer.Place}: the answer is not etcd's: {StoreAnswer.Quote(e.Message)}");
        }
    }
}
