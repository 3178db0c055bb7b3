using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace L4Balancer.Web;

/// <summary>
/// Kestrel's transport over sockets that outlive it: it accepts on a <see cref="ControlSocket"/>, and closes none. Everything behind an accept is
/// that of Kestrel's own transport. Any thread.
/// </summary>
internal sealed class KeptTransport : IConnectionListenerFactory, IDisposable
{
    private readonly ImmutableArray<KeptListener> _listeners;
    private readonly SocketConnectionContextFactory _connections;

    private KeptTransport(ImmutableArray<KeptListener> listeners, ILoggerFactory loggers)
    {
        _listeners = listeners;
        _connections = new SocketConnectionContextFactory(new SocketConnectionFactoryOptions(), loggers.CreateLogger<KeptTransport>());
    }

    /// <summary>Makes it the transport of a host, which then has to listen on the <see cref="KeptListener.EndPoint"/> of each.</summary>
    public static void Use(WebApplicationBuilder builder, ILoggerFactory loggers, params ImmutableArray<KeptListener> listeners) =>
        builder.Services.AddSingleton<IConnectionListenerFactory>(_ => new KeptTransport(listeners, loggers));

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        KeptListener listener = _listeners.First(l => l.EndPoint.Equals(endpoint));
        listener.Listen();
        return ValueTask.FromResult<IConnectionListener>(new Accepting(listener, _connections));
    }

    public void Dispose() => _connections.Dispose();

    private sealed class Accepting(KeptListener listener, SocketConnectionContextFactory connections) : IConnectionListener
    {
        private readonly CancellationTokenSource _unbound = new();

        public EndPoint EndPoint => listener.EndPoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _unbound.Token);
            try
            {
                return await listener.AcceptAsync(Connect, either.Token);
            }
            catch (OperationCanceledException)
            {
                return null;
            }
        }

        public async ValueTask UnbindAsync(CancellationToken cancellationToken = default) => await _unbound.CancelAsync();

        public ValueTask DisposeAsync()
        {
            _unbound.Dispose();
            return ValueTask.CompletedTask;
        }

        // As Kestrel's own transport does by default.
        private ConnectionContext Connect(Socket client)
        {
            if (listener.EndPoint is IPEndPoint)
            {
                client.NoDelay = true;
            }

            return connections.Create(client);
        }
    }
}
