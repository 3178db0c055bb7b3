using System.Security.Authentication;

namespace L4Balancer.Stores;

/// <summary>
/// HTTP/1.1 to a store: bounded in time and bytes, without the environment's proxy, redirects, cookies and compression. The certificates
/// are read again for each request, and a change of theirs holds for new connections. Members may be called on any thread, at the same time.
/// </summary>
internal sealed class StoreHttp(StoreAccess access, StoreHttpOptions options, TimeProvider clock) : IDisposable
{
    private readonly Lock _gate = new();
    private Connections? _current;
    private Connections? _retired;
    private bool _disposed;

    public StoreHttpOptions Options => options;

    /// <summary>Sends a request and reads the whole answer.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public async Task<StoreResult<StoreAnswer>> SendAsync(StoreRequest request, CancellationToken stop)
    {
        TimeSpan timeout = request.Timeout ?? options.Timeout;
        using var passed = new CancellationTokenSource(timeout, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(passed.Token, stop);
        try
        {
            StoreResult<Connections> connections = Current();
            if (!connections.IsOk)
            {
                return connections.Failure<StoreAnswer>();
            }

            using HttpRequestMessage message = request.ToMessage();
            using HttpResponseMessage answer =
                await connections.Value.Http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, both.Token);
            if (answer.Content.Headers.ContentLength > options.MaxBytes)
            {
                return TooLarge(request);
            }

            await using Stream stream = await answer.Content.ReadAsStreamAsync(both.Token);
            return await BodyAsync(stream, both.Token) is { } body
                ? new(new StoreAnswer(request.Address.Authority, (int)answer.StatusCode, body, answer.Headers))
                : TooLarge(request);
        }
        catch (Exception e) when (IsOfNetwork(e, stop))
        {
            return StoreResult<StoreAnswer>.Failed(Explain(request, e, passed.IsCancellationRequested, timeout));
        }
    }

    /// <summary>Sends a request whose answer is a stream of lines, and waits for the head of the answer.</summary>
    /// <returns>
    /// A stream, to be disposed; for every other status than 200 a failure that says which, and below 500 a refusal.
    /// </returns>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public async Task<StoreResult<StoreStream>> OpenAsync(StoreRequest request, CancellationToken stop)
    {
        TimeSpan timeout = request.Timeout ?? options.Timeout;
        using var passed = new CancellationTokenSource(timeout, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(passed.Token, stop);
        HttpResponseMessage? answer = null;
        try
        {
            StoreResult<Connections> connections = Current();
            if (!connections.IsOk)
            {
                return connections.Failure<StoreStream>();
            }

            using HttpRequestMessage message = request.ToMessage();
            answer = await connections.Value.Http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, both.Token);
            Stream stream = await answer.Content.ReadAsStreamAsync(both.Token);
            if (answer.StatusCode == System.Net.HttpStatusCode.OK)
            {
                var lines = new StoreStream(answer, stream, request.Address.Authority, options, clock);
                answer = null;
                return new(lines);
            }

            byte[] body = await BodyAsync(stream, both.Token) ?? [];
            string why = new StoreAnswer(request.Address.Authority, (int)answer.StatusCode, body, answer.Headers).Describe();
            return (int)answer.StatusCode >= 500 ? StoreResult<StoreStream>.Failed(why) : StoreResult<StoreStream>.Refused(why);
        }
        catch (Exception e) when (IsOfNetwork(e, stop))
        {
            return StoreResult<StoreStream>.Failed(Explain(request, e, passed.IsCancellationRequested, timeout));
        }
        finally
        {
            answer?.Dispose();
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _current?.Dispose();
            _retired?.Dispose();
        }
    }

    /// <summary>What networks, peers and a disposal do; not the caller's own cancellation.</summary>
    internal static bool IsOfNetwork(Exception e, CancellationToken stop) =>
        !stop.IsCancellationRequested
        && e is HttpRequestException or IOException or OperationCanceledException or ObjectDisposedException or AuthenticationException;

    private StoreResult<Connections> Current()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            StoreResult<StoreTls> tls = StoreTls.Read(access, _current?.Tls);
            if (!tls.IsOk)
            {
                return tls.Failure<Connections>();
            }

            if (_current is null || tls.Value != _current.Tls)
            {
                // What is under way on the connections before goes on until the next change.
                _retired?.Dispose();
                _retired = _current;
                _current = new Connections(tls.Value, options);
            }

            return new(_current);
        }
    }

    private async Task<byte[]?> BodyAsync(Stream stream, CancellationToken stop)
    {
        using var body = new MemoryStream();
        var buffer = new byte[16 * 1024];
        while (await stream.ReadAsync(buffer, stop) is var count and > 0)
        {
            if (body.Length + count > options.MaxBytes)
            {
                return null;
            }

            body.Write(buffer, 0, count);
        }

        return body.ToArray();
    }

    private StoreResult<StoreAnswer> TooLarge(StoreRequest request) =>
        StoreResult<StoreAnswer>.Failed($"{request.Address.Authority}: the answer has more than {options.MaxBytes} bytes");

    private static string Explain(StoreRequest request, Exception e, bool isLate, TimeSpan timeout) =>
        isLate ? FormattableString.Invariant($"{request.Address.Authority}: no answer within {timeout.TotalSeconds:0.###} s")
        : $"{request.Address.Authority}: {StoreAnswer.Quote(e.GetBaseException().Message)}";

    /// <summary>The connections that were made with the same certificates.</summary>
    private sealed class Connections : IDisposable
    {
        public Connections(StoreTls tls, StoreHttpOptions options)
        {
            Tls = tls;
            Http = new HttpClient(new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                UseProxy = false,
                UseCookies = false,
                Credentials = null,
                ActivityHeadersPropagator = null,
                ConnectTimeout = options.ConnectTimeout,
                MaxConnectionsPerServer = 8,
                MaxResponseDrainSize = 0,
                PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
                PooledConnectionLifetime = TimeSpan.FromMinutes(5),
                SslOptions = tls.ToOptions(),
            })
            {
                Timeout = System.Threading.Timeout.InfiniteTimeSpan,
            };
        }

        public StoreTls Tls { get; }

        public HttpClient Http { get; }

        public void Dispose()
        {
            Http.Dispose();
            Tls.Dispose();
        }
    }
}
