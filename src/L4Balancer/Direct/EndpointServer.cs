using System.Net.Security;
using System.Net.Sockets;
using L4Balancer.Configuration;
using L4Balancer.Core.Config;
using L4Balancer.Platform;
using L4Balancer.Web;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace L4Balancer.Direct;

/// <summary>
/// <c>[endpoint] listen</c>: a web host of its own for clients, which anyone may reach. Every request is limited in size and time, connections
/// in number by source and in all.
/// </summary>
internal sealed class EndpointServer : IControlServer
{
    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(5);
    private static readonly RequestBounds Bounds = new(
        LargestBody: EndpointRequests.LargestBody, LongestHead: 8 * 1024, HeadTimeout: TimeSpan.FromSeconds(5), IdleTimeout: TimeSpan.FromSeconds(30));

    /// <summary>How often the certificate's files are looked at, and what was handed out and has had its time is let go.</summary>
    private static readonly TimeSpan Upkeep = TimeSpan.FromSeconds(1);

    /// <summary>How long the end waits for it: a file system that hangs must not hold the daemon.</summary>
    private static readonly TimeSpan UpkeepEndsWithin = TimeSpan.FromMilliseconds(200);

    private readonly EndpointDesk _desk;
    private readonly ILogger _log;
    private readonly KeptListener _listener;
    private readonly WebApplication _app;
    private readonly EndpointCertificate? _certificate;
    private readonly CancellationTokenSource _ending = new();
    private readonly PeriodicTimer _timer;
    private readonly Task _upkeep;
    private readonly PacedNotice _notice;

    private EndpointServer(
        EndpointDesk desk, KeptListener listener, WebApplication app, EndpointCertificate? certificate, TimeProvider clock, ILogger log)
    {
        _desk = desk;
        _listener = listener;
        _app = app;
        _certificate = certificate;
        _log = log;
        _timer = new PeriodicTimer(Upkeep, clock);
        _notice = new PacedNotice(clock);
        _upkeep = UpkeepAsync();
        Url = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
    }

    /// <summary>Where it answers, with the port that was chosen where the configuration says 0.</summary>
    public string Url { get; }

    /// <summary>Reads the files, binds and begins to answer.</summary>
    /// <param name="limit">How many descriptors the process may hold.</param>
    /// <param name="sockets">Those that another process left, and those that it may be given.</param>
    /// <param name="hurry">Cancelled when files that are read slowly are no longer to be waited for.</param>
    /// <exception cref="ListenException">The address cannot be bound.</exception>
    /// <exception cref="InvalidDataException">A file cannot be used; the message says why, with the remedy.</exception>
    public static async Task<EndpointServer> StartAsync(
        EndpointSettings settings, EndpointDesk desk, long limit, TimeProvider clock, ControlSockets sockets, ILoggerFactory loggers,
        CancellationToken hurry)
    {
        ILogger log = loggers.CreateLogger<EndpointServer>();
        EndpointCertificate? certificate = await ReadInTimeAsync(() => ReadFiles(settings, desk, clock, log), clock, hurry);
        ControlSocket? socket = null;
        WebApplication? app = null;
        try
        {
            socket = sockets.Tcp(ControlSockets.EndpointApi, settings.Listen);
            var listener = new KeptListener(
                socket, new ConnectionPlaces(PlaceLimits.ForClients("[endpoint] listen", DescriptorBudget.EndpointConnections(limit)), clock, log));
            WebApplicationBuilder builder = QuietHost.CreateBuilder(loggers);
            KeptTransport.Use(builder, loggers, listener);
            builder.WebHost.UseKestrelCore().ConfigureKestrel(options => Bound(options, listener, certificate));
            app = builder.Build();
            app.Use(ConnectionPlaces.Around);
            app.Run(new EndpointRequests(desk, log).AnswerAsync);
            await app.StartAsync(hurry);
            var server = new EndpointServer(desk, listener, app, certificate, clock, log);
            log.EndpointListening(server.Url);
            return server;
        }
        catch (Exception e)
        {
            await (app?.DisposeAsync() ?? ValueTask.CompletedTask);
            socket?.Dispose();
            if (e is IOException or SocketException)
            {
                throw new ListenException("[endpoint]", settings.Listen, e);
            }

            throw;
        }
    }

    /// <summary>For <c>check</c>: whether the files of the table can be used, for a start by this user.</summary>
    /// <returns>Why not, with the remedy; null if they can.</returns>
    public static async Task<string?> WhyNotAsync(EndpointSettings settings)
    {
        try
        {
            await ReadInTimeAsync(() => ReadFiles(settings, null, TimeProvider.System, NullLogger.Instance), TimeProvider.System, default);
            return null;
        }
        catch (InvalidDataException e)
        {
            return e.Message;
        }
    }

    /// <summary>Reads the secret again; may be slow, depending on the file system of the file.</summary>
    /// <returns>An action that activates it. A secret that cannot be read leaves the one before in force.</returns>
    public Action ReadSecret(BalancerConfig config)
    {
        if (config.Endpoint is not { } settings)
        {
            return static () => { };
        }

        if (settings.SecretFile.Length == 0)
        {
            return () => _desk.Secret = null;
        }

        return EndpointSecret.Read(settings.SecretFile, out string fault) is { } secret
            ? () => _desk.Secret = secret
            : () => _log.EndpointSecretFault(settings.SecretFile, fault);
    }

    public Task PauseAsync() => _listener.PauseAsync();

    public void Resume() => _listener.Resume();

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await QuietHost.EndAsync(_app);
        _listener.Socket.Dispose();
        await _upkeep.WaitAsync(UpkeepEndsWithin).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _timer.Dispose();
        _ending.Dispose();
    }

    private static EndpointCertificate? ReadFiles(EndpointSettings settings, EndpointDesk? desk, TimeProvider clock, ILogger log)
    {
        if (settings.SecretFile.Length > 0)
        {
            EndpointSecret secret = EndpointSecret.Read(settings.SecretFile, out string fault)
                ?? throw new InvalidDataException($"[endpoint] secret_file {settings.SecretFile}: {fault}");
            if (desk is not null)
            {
                desk.Secret = secret;
            }
        }

        if (!settings.IsTls())
        {
            return null;
        }

        return EndpointCertificate.Read(settings, clock, log, out string reason)
            ?? throw new InvalidDataException($"[endpoint] cert_file, key_file: {reason}");
    }

    private static async Task<T> ReadInTimeAsync<T>(Func<T> read, TimeProvider clock, CancellationToken hurry)
    {
        try
        {
            return await OwnThread.RunAsync("l4b-read-tls", read).WaitAsync(ConfigSource.Within, clock, hurry);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            throw new InvalidDataException($"[endpoint] secret_file, cert_file or key_file: {ConfigSource.TooSlow}", e);
        }
    }

    private static void Bound(KestrelServerOptions options, KeptListener listener, EndpointCertificate? certificate)
    {
        Bounds.Apply(options);
        options.Listen(listener.EndPoint, listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            listener.Places.Limit(listen);
            if (certificate is not null)
            {
                listen.UseHttps(new TlsHandshakeCallbackOptions
                {
                    HandshakeTimeout = HandshakeTimeout,
                    OnConnection = _ => ValueTask.FromResult(new SslServerAuthenticationOptions
                    {
                        ServerCertificateContext = certificate.Current,
                        ApplicationProtocols = [SslApplicationProtocol.Http11],
                    }),
                });
            }
        });
    }

    private async Task UpkeepAsync()
    {
        CancellationToken ending = _ending.Token;
        try
        {
            while (await _timer.WaitForNextTickAsync(ending))
            {
                Keep();
            }
        }
        catch (OperationCanceledException)
        {
            // The daemon ends.
        }
    }

    private void Keep()
    {
        try
        {
            _desk.Expire();
            _certificate?.Refresh();
        }
        catch (Exception e)
        {
            // A shortage of memory or descriptors may pass.
            if (_notice.MayLog(out _))
            {
                _log.EndpointUpkeepFailed(e);
            }
        }
    }
}
