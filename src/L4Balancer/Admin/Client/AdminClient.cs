using System.Net.Http.Headers;
using System.Net.Sockets;
using L4Balancer.Core.Config;

namespace L4Balancer.Admin.Client;

/// <summary>
/// Sends requests to one daemon, over its local socket or TCP. Proxies and redirects are disabled, so that requests reach only this
/// daemon.
/// </summary>
internal sealed class AdminClient : IDisposable
{
    /// <summary>Maximum size of an answer in bytes. The largest of a daemon, 100,000 connections, is 40 MB.</summary>
    internal const int LargestAnswer = 64 << 20;

    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(5);

    public static readonly TimeSpan LongestTimeout = TimeSpan.FromHours(1);

    /// <summary>The bound on an answer as a whole, however steadily it comes.</summary>
    private static readonly TimeSpan WholeAnswerWithin = LongestTimeout + LongestTimeout;

    private readonly AdminAddress _address;
    private readonly TimeSpan _timeout;
    private readonly HttpClient _http;

    /// <param name="token">The token to send; null means none.</param>
    /// <param name="timeout">How long the daemon may take to accept the connection and to answer, and may pause within an answer.</param>
    public AdminClient(AdminAddress address, string? token, TimeSpan timeout)
    {
        _address = address;
        _timeout = timeout;
        _http = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            ConnectCallback = (_, cancel) => ConnectAsync(address, cancel),
        })
        {
            BaseAddress = address.Base,
            Timeout = WholeAnswerWithin,
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

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        patience.CancelAfter(_timeout);
        try
        {
            using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
            return new AdminReply(
                (int)response.StatusCode, response.Content.Headers.ContentType?.MediaType, await ReadAsync(response.Content, patience));
        }
        catch (IOException e)
        {
            throw new NoDaemonException($"the daemon at {_address.Text} broke off its answer: check its log", e);
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
        {
            throw new NoDaemonException(
                $"the answer of {_address.Text} is larger than {LargestAnswer >> 20} MiB: give the address of an l4balancer with --admin, or a smaller --limit", e);
        }
        catch (HttpRequestException e)
        {
            throw new NoDaemonException($"no daemon answers at {_address.Text}: {Why(e)}", e);
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            throw new NoDaemonException(
                $"the daemon at {_address.Text} did not answer within {Duration.Format(_timeout)}: "
                    + "it hangs, or has ended and its keeper waits for the next one; check its log, start it again, or wait longer with --timeout", e);
        }
    }

    public void Dispose() => _http.Dispose();

    // An answer that goes on coming is complete at some time; only a pause ends it.
    private async Task<byte[]> ReadAsync(HttpContent content, CancellationTokenSource patience)
    {
        await using Stream body = await content.ReadAsStreamAsync(patience.Token);
        using var whole = new MemoryStream();
        byte[] buffer = new byte[64 * 1024];
        while (true)
        {
            patience.CancelAfter(_timeout);
            int count = await body.ReadAsync(buffer, patience.Token);
            if (count == 0)
            {
                return whole.ToArray();
            }

            if (whole.Length + count > LargestAnswer)
            {
                throw new HttpRequestException(HttpRequestError.ConfigurationLimitExceeded, $"more than {LargestAnswer} bytes");
            }

            whole.Write(buffer, 0, count);
        }
    }

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
            SocketError.AccessDenied => "this user may not open its socket; be root or of the socket's group",
            SocketError.AddressNotAvailable or SocketError.ConnectionRefused when _address.IsLocal =>
                "no daemon is running there; start it (l4balancer run), or give its address with --admin",
            SocketError.ConnectionRefused => "connection refused; check [admin] listen of the daemon, or give its local socket with --admin",
            SocketError.HostNotFound or SocketError.TryAgain => "unknown host; give another address with --admin",
            null => "the server closed the connection or does not speak HTTP; give another address with --admin",
            _ => $"{e.InnerException!.Message.TrimEnd('.')}; give another address with --admin",
        };
    }
}
