using System.Net.Sockets;
using L4Balancer.Admin.Access;
using L4Balancer.Configuration;
using L4Balancer.Core.Config;
using L4Balancer.Platform;
using L4Balancer.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Admin;

/// <summary>
/// The admin API on its local socket, and on a TCP address if one is configured. Every request is limited in size and time. If the
/// socket cannot be created, the daemon logs the reason and continues; a configured address that cannot be bound is an error.
/// </summary>
internal sealed class AdminServer : IControlServer
{
    private static readonly RequestBounds Bounds = new(
        LargestBody: Guard.LargestDiscarded, LongestHead: 16 * 1024, HeadTimeout: TimeSpan.FromSeconds(10), IdleTimeout: TimeSpan.FromSeconds(130));

    private readonly ControlSockets _sockets;
    private readonly ILogger _log;
    private AdminSocket? _socket;
    private KeptListener? _local;
    private KeptListener? _tcp;
    private WebApplication? _app;
    private volatile AccessToken _token = AccessToken.None;

    private AdminServer(ControlSockets sockets, ILogger log)
    {
        _sockets = sockets;
        _log = log;
    }

    /// <summary>The local socket's path; null if there is none.</summary>
    public string? SocketPath => _socket?.Path;

    /// <summary>The status page's address; null if the API is served only on the local socket.</summary>
    public string? Url { get; private set; }

    /// <summary>Whether a local socket or an address is configured.</summary>
    public static bool IsWanted(AdminSettings settings) => settings.Socket.Length > 0 || settings.Listen is not null;

    /// <summary>Binds and starts to serve requests.</summary>
    /// <param name="sockets">Those that another process left, and those that it may be given.</param>
    /// <param name="hurry">Cancelled when a token file that is read slowly is no longer to be waited for.</param>
    /// <exception cref="ListenException">The address of <c>listen</c> cannot be bound.</exception>
    public static async Task<AdminServer> StartAsync(
        AdminSettings settings, AdminTarget target, ControlSockets sockets, ILoggerFactory loggers, CancellationToken hurry = default)
    {
        var server = new AdminServer(sockets, loggers.CreateLogger<AdminServer>());
        try
        {
            (await server.ReadTokenInTimeAsync(settings, target.Clock, hurry))();
            server.Bind(settings, target.Clock);
            await server.ListenAsync(settings, target, loggers);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Reads the token again; may be slow, depending on the file system of the file.</summary>
    /// <returns>An action that activates the new token.</returns>
    public Action ReadToken(BalancerConfig config) => ReadToken(config.Admin);

    private async Task<Action> ReadTokenInTimeAsync(AdminSettings settings, TimeProvider clock, CancellationToken hurry)
    {
        try
        {
            return await OwnThread.RunAsync("l4b-read-token", () => ReadToken(settings)).WaitAsync(ConfigSource.Within, clock, hurry);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            return () => _log.TokenFileFault(
                settings.TokenFile, $"it {ConfigSource.TooSlow}; no token is accepted until a reload has read it");
        }
    }

    private Action ReadToken(AdminSettings settings)
    {
        AccessToken token = AccessToken.Read(settings.TokenFile, out string? warning);
        return () =>
        {
            _token = token;
            if (warning is not null)
            {
                _log.TokenFileFault(settings.TokenFile, warning);
            }
        };
    }

    public Task PauseAsync() => Task.WhenAll(Listeners.Select(static l => l.PauseAsync()));

    public void Resume() => Listeners.ToList().ForEach(static l => l.Resume());

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
        {
            await QuietHost.EndAsync(_app);
        }

        _tcp?.Socket.Dispose();
        _socket?.Dispose();
    }

    private IEnumerable<KeptListener> Listeners => ((KeptListener?[])[_local, _tcp]).OfType<KeptListener>();

    private void Bind(AdminSettings settings, TimeProvider clock)
    {
        _socket = MakeSocket(settings.Socket);
        if (_socket is not null)
        {
            PlaceLimits limits = PlaceLimits.ForLocal("[admin] socket", DescriptorBudget.PerAdminAddress);
            _local = new KeptListener(_socket.Listener, new ConnectionPlaces(limits, clock, _log));
        }

        if (settings.Listen is not Core.Addressing.Endpoint endpoint)
        {
            return;
        }

        try
        {
            PlaceLimits limits = PlaceLimits.ForTcp("[admin] listen", DescriptorBudget.PerAdminAddress);
            _tcp = new KeptListener(_sockets.Tcp(ControlSockets.AdminTcp, endpoint), new ConnectionPlaces(limits, clock, _log));
        }
        catch (SocketException e)
        {
            throw new ListenException("[admin]", endpoint, e);
        }
    }

    private AdminSocket? MakeSocket(string configured)
    {
        if (configured.Length == 0 || OperatingSystem.IsWindows())
        {
            return null;
        }

        if (LocalSocket.ForDaemon(configured, Environment.IsPrivilegedProcess, Environment.GetEnvironmentVariable) is not string path)
        {
            _log.NoFolderForSocket();
            return null;
        }

        AdminSocket? socket = AdminSocket.TryCreate(path, _sockets, out string fault);
        if (socket is null)
        {
            _log.NoSocket(path, fault);
        }

        return socket;
    }

    private async Task ListenAsync(AdminSettings settings, AdminTarget target, ILoggerFactory loggers)
    {
        if (!Listeners.Any())
        {
            return;
        }

        WebApplicationBuilder builder = QuietHost.CreateBuilder(loggers);
        builder.Services.AddRoutingCore();
        KeptTransport.Use(builder, loggers, [.. Listeners]);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(Bound);
        WebApplication app = builder.Build();
        _app = app;
        var guesses = new TokenGuesses(target.Clock, () => target.Control.Snapshot.State.CountAdminAuthFailure(), _log);
        var guard = new Guard(() => _token, () => target.Control.Config.Admin.Hosts, guesses, new AnswerSlots(target.Clock), _log);
        app.Use(ConnectionPlaces.Around);
        app.Use(next => http => guard.AroundAsync(http, next));
        app.UseRouting();
        app.Use(next => http => guard.BeforeAsync(http, next));
        AdminRoutes.Map(app, target, _log);
        try
        {
            await app.StartAsync();
        }
        catch (Exception e) when (settings.Listen is not null && e is IOException or SocketException)
        {
            throw new ListenException("[admin]", settings.Listen!.Value, e);
        }

        foreach (string address in app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses)
        {
            bool local = address.StartsWith("http://unix:", StringComparison.Ordinal);
            Url = local ? Url : $"{address}/";
            _log.AdminListening(local ? _socket!.Path : address);
        }
    }

    private void Bound(KestrelServerOptions options)
    {
        Bounds.Apply(options);
        if (_local is not null)
        {
            options.Listen(_local.EndPoint, listen => From(listen, _local.Places, Requester.OfLocal));
        }

        if (_tcp is not null)
        {
            options.Listen(_tcp.EndPoint, listen => From(listen, _tcp.Places, Requester.OfTcp));
        }
    }

    // Attaches the requester to the connection; only here it is known through which endpoint the connection came.
    private static void From(ListenOptions listen, ConnectionPlaces places, Func<ConnectionContext, Requester> requester)
    {
        listen.Protocols = HttpProtocols.Http1;
        places.Limit(listen);
        listen.Use(next => connection =>
        {
            connection.Features.Set(requester(connection));
            return next(connection);
        });
    }
}
