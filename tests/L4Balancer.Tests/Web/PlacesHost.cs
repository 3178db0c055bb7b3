using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using L4Balancer.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace L4Balancer.Tests.Web;

/// <summary>
/// A web host with limited connections: <c>/hold</c> is answered when the test lets it, <c>/healthz</c> at once, <c>/trust</c> makes its
/// connection a trusted one.
/// </summary>
internal sealed class PlacesHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<TaskCompletionSource> _held = new();
    private readonly List<Socket> _clients = [];

    private PlacesHost(PlaceLimits limits)
    {
        WebApplicationBuilder builder = QuietHost.CreateBuilder(LoggerFactory.Create(_ => { }));
        Places = new ConnectionPlaces(limits, Clock, Log);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(options => options.Listen(IPAddress.Any, 0, Places.Limit));
        _app = builder.Build();
        _app.Run(AnswerAsync);
    }

    public FakeTimeProvider Clock { get; } = new();

    public LineLog Log { get; } = new();

    public ConnectionPlaces Places { get; }

    private int Port { get; set; }

    public static async Task<PlacesHost> StartAsync(PlaceLimits limits)
    {
        var host = new PlacesHost(limits);
        await host._app.StartAsync();
        string address = host._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        host.Port = new Uri(address).Port;
        return host;
    }

    /// <param name="source">The last byte of the client's address 127.0.0.x.</param>
    public async Task<Socket> ConnectAsync(int source = 1)
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        client.Bind(new IPEndPoint(new IPAddress([127, 0, 0, (byte)source]), 0));
        await client.ConnectAsync(IPAddress.Loopback, Port);
        _clients.Add(client);
        return client;
    }

    public static async Task AskAsync(Socket client, string path) =>
        await client.SendAsync(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));

    /// <returns>The status of the answer; 0 if the connection was closed instead.</returns>
    public static async Task<int> StatusAsync(Socket client)
    {
        var head = new byte[512];
        try
        {
            int count = await client.ReceiveAsync(head).WaitAsync(DaemonProcess.Deadline);
            return count < 12 ? 0 : int.Parse(Encoding.ASCII.GetString(head, 9, 3), null);
        }
        catch (SocketException)
        {
            return 0;
        }
    }

    public static async Task<int> GetAsync(Socket client, string path)
    {
        await AskAsync(client, path);
        return await StatusAsync(client);
    }

    /// <summary>Sends a request that stays unanswered, and waits until the host has it.</summary>
    public async Task HoldAsync(Socket client)
    {
        int before = _held.Count;
        await AskAsync(client, "/hold");
        await EventuallyAsync(() => _held.Count > before);
    }

    public void AnswerHeld()
    {
        while (_held.TryDequeue(out TaskCompletionSource? held))
        {
            held.SetResult();
        }
    }

    public static async Task EventuallyAsync(Func<bool> holds)
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!holds())
        {
            await tick.WaitForNextTickAsync(deadline.Token);
        }
    }

    public async ValueTask DisposeAsync()
    {
        AnswerHeld();
        _clients.ForEach(c => c.Dispose());
        await QuietHost.EndAsync(_app);
    }

    private async Task AnswerAsync(HttpContext http)
    {
        ConnectionPlace place = ConnectionPlace.Of(http)!;
        if (http.Request.Path == "/trust")
        {
            place.Trust();
        }

        if (!place.TryBegin(http.Request.Path == "/healthz"))
        {
            http.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return;
        }

        try
        {
            if (http.Request.Path == "/hold")
            {
                var held = new TaskCompletionSource();
                _held.Enqueue(held);
                await held.Task;
            }
        }
        finally
        {
            place.End();
        }
    }
}

/// <summary>A log that keeps its lines.</summary>
internal sealed class LineLog : ILogger
{
    private readonly ConcurrentQueue<string> _lines = new();

    public IReadOnlyCollection<string> Lines => _lines;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _lines.Enqueue(formatter(state, exception));
}
