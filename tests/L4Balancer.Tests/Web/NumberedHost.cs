using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using L4Balancer.Admin;
using L4Balancer.Core.Addressing;
using L4Balancer.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Tests.Web;

/// <summary>
/// A process's web host on a socket of the control plane, which answers with its number: at once, or at <c>/hold</c> when the test lets it.
/// Several of them in one process stand for several processes: each has descriptors of its own for the same sockets.
/// </summary>
internal sealed class NumberedHost : IControlServer
{
    private readonly int _number;
    private readonly WebApplication _app;
    private readonly TaskCompletionSource _held = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _holding;

    private NumberedHost(int number, ControlSockets sockets, string path)
    {
        _number = number;
        Sockets = sockets;
        if (path.Length > 0 && !OperatingSystem.IsWindows())
        {
            Socket = AdminSocket.TryCreate(path, sockets, out string fault)!;
            Assert.That(Socket, Is.Not.Null, fault);
        }

        ControlSocket socket = Socket?.Listener ?? sockets.Tcp(ControlSockets.Metrics, new Core.Addressing.Endpoint(HostAddress.From(IPAddress.Loopback), 0));
        Listener = new KeptListener(
            socket, new ConnectionPlaces(PlaceLimits.ForTcp("[metrics] listen", 64), TimeProvider.System, NullLogger.Instance));
        WebApplicationBuilder builder = QuietHost.CreateBuilder(NullLoggerFactory.Instance);
        KeptTransport.Use(builder, NullLoggerFactory.Instance, Listener);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(options => options.Listen(Listener.EndPoint, Listener.Places.Limit));
        _app = builder.Build();
        _app.Use(ConnectionPlaces.Around);
        _app.Run(AnswerAsync);
    }

    public ControlSockets Sockets { get; }

    public AdminSocket? Socket { get; }

    public KeptListener Listener { get; }

    public int Holding => Volatile.Read(ref _holding);

    /// <param name="path">Of a UNIX socket; empty: TCP.</param>
    public static async Task<NumberedHost> StartAsync(int number, ControlSockets sockets, string path = "")
    {
        var host = new NumberedHost(number, sockets, path);
        await host._app.StartAsync();
        return host;
    }

    /// <summary>What another process is given: descriptors of its own.</summary>
    public static ControlSockets HandedOver(ControlSockets from, ILogger? log = null) =>
        new([.. from.All.Select(static s => s with { Descriptor = Duplicate(s.Descriptor) })], log ?? NullLogger.Instance);

    [DllImport("libc", EntryPoint = "dup")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Duplicate(int descriptor);

    /// <returns>The number of the host that answers.</returns>
    public async Task<int> AskAsync(HttpClient client, string path = "/") =>
        int.Parse(await client.GetStringAsync(new Uri(Url, path)), null);

    public Uri Url => Listener.EndPoint is IPEndPoint ip ? new Uri($"http://{ip}/") : new Uri("http://localhost/");

    /// <summary>A client of its own, which keeps its connection.</summary>
    public HttpClient Client() => new(new SocketsHttpHandler
    {
        UseProxy = false,
        ConnectCallback = async (_, cancel) => new NetworkStream(await ConnectAsync(cancel), ownsSocket: true),
    })
    { Timeout = DaemonProcess.Deadline };

    public async Task<Socket> ConnectAsync(CancellationToken cancel = default)
    {
        bool isUnix = Listener.EndPoint is UnixDomainSocketEndPoint;
        var socket = new Socket(Listener.EndPoint.AddressFamily, SocketType.Stream, isUnix ? ProtocolType.Unspecified : ProtocolType.Tcp);
        await socket.ConnectAsync(Listener.EndPoint, cancel);
        return socket;
    }

    public void AnswerHeld() => _held.TrySetResult();

    public Task PauseAsync() => Listener.PauseAsync();

    public void Resume() => Listener.Resume();

    public async ValueTask DisposeAsync()
    {
        _held.TrySetResult();
        await QuietHost.EndAsync(_app);
        Listener.Socket.Dispose();
        Socket?.Dispose();
        Sockets.Dispose();
    }

    private async Task AnswerAsync(HttpContext http)
    {
        if (http.Request.Path == "/stay")
        {
            ConnectionPlace.Of(http)!.Stay();
        }

        if (http.Request.Path != "/")
        {
            Interlocked.Increment(ref _holding);
            await _held.Task.WaitAsync(http.RequestAborted);
        }

        await http.Response.WriteAsync($"{_number}");
    }
}
