using System.Net.Http.Headers;
using System.Net.Sockets;

namespace L4Balancer.Admin.Client;

/// <summary>
/// Sends requests to one daemon, over its local socket or TCP. Proxies and redirects are disabled, so that requests reach only this
/// daemon.
/// </summary>
internal sealed class AdminClient : IDisposable
{
    /// <summary>Maximum size of an answer; 100,000 connections take 40 MB.</summary>
    private const int LargestAnswer = 1 << 30;

    private static readonly TimeSpan ConnectWithin = TimeSpan.FromSeconds(5);

    /// <summary>Long enough for the reload of a large file; the user can interrupt the command.</summary>
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromMinutes(5);

    private readonly AdminAddress _address;
    private readonly HttpClient _http;

    /// <param name="token">The token to send; null means none.</param>
    public AdminClient(AdminAddress address, string? token)
    {
        _address = address;
        _http = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            ConnectTimeout = ConnectWithin,
            ConnectCallback = (_, cancel) => ConnectAsync(address, cancel),
        })
        {
            BaseAddress = address.Base,
            Timeout = AnswerWithin,
            MaxResponseContentBufferSize = LargestAnswer,
        };
        if (token is not null)
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }
    }

    /// <param name="path">The path with its query.</param>
    /// <param name="json">The body; null means none.</param>
    /// <exception cref="NoDaemonException">There was no answer.</exception>
    public async Task<AdminReply> SendAsync(HttpMethod method, string path, string? json = null, CancellationToken cancel = default)
    {
        using var request = new HttpRequestMessage(method, path);
        if (json is not null)
        {
            request.Content = new StringContent(json, null, "application/json");
        }

        try
        {
            using HttpResponseMessage response = await _http.SendAsync(request, cancel);
            return new AdminReply(
                (int)response.StatusCode, response.Content.Headers.ContentType?.MediaType, await response.Content.ReadAsByteArrayAsync(cancel));
        }
        catch (HttpRequestException e)
        {
            throw new NoDaemonException($"no daemon answers at {_address.Text}: {Why(e)}", e);
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            throw new NoDaemonException($"the daemon at {_address.Text} does not answer: check its log, or restart it", e);
        }
    }

    public void Dispose() => _http.Dispose();

    private static async ValueTask<Stream> ConnectAsync(AdminAddress address, CancellationToken cancel)
    {
        var socket = address.IsLocal
            ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            : new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(address.EndPoint, cancel);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private string Why(HttpRequestException e)
    {
        SocketError? error = (e.InnerException as SocketException)?.SocketErrorCode;
        return error switch
        {
            SocketError.AccessDenied => "no permission to open its socket; be root or of the socket's group",
            SocketError.AddressNotAvailable or SocketError.ConnectionRefused when _address.IsLocal =>
                "no daemon is running there; start it (l4balancer run), or give its address with --admin",
            SocketError.ConnectionRefused => "connection refused; check [admin] listen of the daemon, or give its local socket with --admin",
            SocketError.HostNotFound or SocketError.TryAgain => "unknown host; give another address with --admin",
            null => "the server closed the connection or does not speak HTTP; give another address with --admin",
            _ => $"{e.InnerException!.Message.TrimEnd('.')}; give another address with --admin",
        };
    }
}
