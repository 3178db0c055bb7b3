using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Tests.Discovery.Stores;

/// <summary>The HTTP interface of a store, with the troubles that one has. Its port stays the same when it comes back.</summary>
internal sealed class StubServer : IAsyncDisposable
{
    private readonly RequestDelegate _answer;
    private readonly string _truncated;
    private readonly string _host;
    private CancellationTokenSource _live = new();
    private WebApplication? _app;
    private int _port;
    private volatile StoreTrouble _trouble;

    private StubServer(RequestDelegate answer, string truncated, string host)
    {
        _host = host;
        _answer = answer;
        _truncated = truncated;
    }

    public Uri Address => new($"http://{_host}:{_port}");

    /// <summary>How many requests were answered without trouble.</summary>
    public int Answered { get; private set; }

    /// <param name="answer">Ends when the request is aborted.</param>
    /// <param name="truncated">The start of an answer.</param>
    public static async Task<StubServer> StartAsync(RequestDelegate answer, string truncated, string host = "127.0.0.1")
    {
        var server = new StubServer(answer, truncated, host);
        await server.ListenAsync();
        return server;
    }

    public async Task DisturbAsync(StoreTrouble trouble)
    {
        StoreTrouble before = _trouble;
        _trouble = trouble;
        if (trouble == StoreTrouble.Down)
        {
            await CloseAsync();
        }
        else if (before == StoreTrouble.Down)
        {
            await ListenAsync();
        }
        else if (trouble != StoreTrouble.Silent)
        {
            // What is under way ends, so that the next request meets the trouble, or the end of it.
            CancellationTokenSource live = Interlocked.Exchange(ref _live, new CancellationTokenSource());
            await live.CancelAsync();
            live.Dispose();
        }
    }

    /// <summary>Before something is sent on an answer that is already open.</summary>
    public async Task WhileSilentAsync(CancellationToken aborted)
    {
        while (_trouble == StoreTrouble.Silent)
        {
            await Task.Delay(10, aborted);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        _live.Dispose();
    }

    private async Task ListenAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Parse(_host), _port));
        _app = builder.Build();
        _app.Run(HandleAsync);
        await _app.StartAsync();
        _port = new Uri(_app.Urls.Single()).Port;
    }

    private async Task CloseAsync()
    {
        if (_app is not null)
        {
            await _live.CancelAsync();
            await _app.StopAsync(new CancellationToken(true));
            await _app.DisposeAsync();
            _app = null;
            _live.Dispose();
            _live = new CancellationTokenSource();
        }
    }

    private async Task HandleAsync(HttpContext http)
    {
        using var aborted = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, _live.Token);
        http.RequestAborted = aborted.Token;
        try
        {
            switch (_trouble)
            {
                case StoreTrouble.Silent:
                    await Task.Delay(Timeout.Infinite, aborted.Token);
                    break;
                case StoreTrouble.Rubbish:
                    await http.Response.WriteAsync("<html>It works!</html>\n", aborted.Token);
                    break;
                case StoreTrouble.HalfWritten:
                    http.Response.ContentLength = 10_000;
                    await http.Response.WriteAsync(_truncated, aborted.Token);
                    http.Abort();
                    break;
                default:
                    await _answer(http);
                    Answered++;
                    break;
            }
        }
        catch (OperationCanceledException)
        {
            http.Abort();
        }
    }
}
