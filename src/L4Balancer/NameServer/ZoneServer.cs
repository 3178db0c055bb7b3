using System.Collections.Immutable;
using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Config;
using L4Balancer.Core.Dns;
using L4Balancer.Engine.Linux;
using L4Balancer.Web;
using Microsoft.Extensions.Logging;

namespace L4Balancer.NameServer;

/// <summary>
/// <c>[dns] listen</c>: a <see cref="UdpAnswers"/> and a <see cref="TcpAnswers"/> for each address. What they answer is decided by
/// <see cref="DnsAnswers"/>. The namespace is not called Dns, which would hide the framework's class of that name from all others.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class ZoneServer : IControlServer
{
    /// <summary>With port 0, how often a port that UDP has is taken for TCP.</summary>
    private const int Attempts = 20;

    private const string Users =
        "ss -lntup shows it; a resolver of this host at 127.0.0.53 keeps the wildcard address from being bound, not the others";

    private const int AddressInUse = 98; // EADDRINUSE
    private const int NotPermitted = 13; // EACCES
    private const int NotHere = 99; // EADDRNOTAVAIL

    private readonly List<(TcpAnswers Tcp, UdpAnswers Udp, DatagramSocket Socket)> _parts = [];
    private readonly DnsView _view;
    private readonly ControlSockets _sockets;
    private readonly ILogger _log;
    private ImmutableArray<string> _said = [];

    private ZoneServer(DnsView view, ControlSockets sockets, ILogger log)
    {
        _view = view;
        _sockets = sockets;
        _log = log;
    }

    /// <summary>Binds and begins to answer.</summary>
    /// <param name="settings">Those in force; <c>listen</c> is read once.</param>
    /// <param name="seed">Unknown to clients.</param>
    /// <param name="sockets">Those that another process left, and those that it may be given.</param>
    /// <exception cref="ListenException">An address cannot be bound.</exception>
    public static async Task<ZoneServer> StartAsync(
        Func<DnsSettings> settings, DnsView view, DnsCounters counters, ulong seed, TimeProvider clock, ControlSockets sockets,
        ILoggerFactory loggers)
    {
        var server = new ZoneServer(view, sockets, loggers.CreateLogger<ZoneServer>());
        try
        {
            foreach (Endpoint listen in settings().Listen)
            {
                server.Listen(listen, new Answering(view, counters, seed, clock, server._log), () => settings().RatePerSource);
            }

            server.Check(settings());
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Logs what the zone lacks, once for each. One thread at a time.</summary>
    public void Check(DnsSettings settings)
    {
        if (settings.Address.IsEmpty)
        {
            _log.ZoneWithoutAddress(settings.Zone);
        }

        ImmutableArray<string> leftOut = _view.Renew().LeftOut;
        foreach (string what in leftOut.Except(_said))
        {
            _log.NotInZone(settings.Zone, what);
        }

        _said = leftOut;
    }

    public async Task PauseAsync()
    {
        foreach ((_, UdpAnswers udp, _) in _parts)
        {
            udp.Stop();
        }

        await Task.WhenAll(_parts.Select(static p => p.Tcp.PauseAsync()));
    }

    public void Resume()
    {
        foreach ((TcpAnswers tcp, UdpAnswers udp, _) in _parts)
        {
            udp.Start();
            tcp.Resume();
        }
    }

    /// <summary>Ends answering. May be called again, but not at the same time.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach ((TcpAnswers tcp, UdpAnswers udp, DatagramSocket socket) in _parts)
        {
            await tcp.DisposeAsync();
            udp.Stop();
            _sockets.Close(socket);
        }

        _parts.Clear();
    }

    private void Listen(Endpoint listen, Answering answering, Func<int> rate)
    {
        for (int attempt = 1; ; attempt++)
        {
            DatagramSocket? socket = null;
            try
            {
                socket = _sockets.Udp($"{ControlSockets.DnsUdp}{_parts.Count}", listen, UdpAnswers.Patience);
                Endpoint bound = listen with { Port = socket.Bound.Port };
                var tcp = new TcpAnswers(_sockets.Tcp($"{ControlSockets.DnsTcp}{_parts.Count}", bound, bothFamilies: false), answering);
                var udp = new UdpAnswers(socket, answering, rate);
                _parts.Add((tcp, udp, socket));
                udp.Start();
                _log.DnsListening(answering.Zone, udp.Bound.ToString());
                return;
            }
            catch (Exception e) when (e is SocketException or Win32Exception)
            {
                if (socket is not null)
                {
                    _sockets.Close(socket);
                }

                bool taken = e is SocketException { SocketErrorCode: SocketError.AddressAlreadyInUse };
                if (listen.Port != 0 || !taken || attempt == Attempts)
                {
                    throw new ListenException("[dns]", listen, AsSocketException(e), Users);
                }
            }
        }
    }

    // ListenException knows the errors of .NET's sockets.
    private static Exception AsSocketException(Exception e) => e is SocketException ? e : (e as Win32Exception)?.NativeErrorCode switch
    {
        AddressInUse => new SocketException((int)SocketError.AddressAlreadyInUse),
        NotPermitted => new SocketException((int)SocketError.AccessDenied),
        NotHere => new SocketException((int)SocketError.AddressNotAvailable),
        _ => e,
    };
}
