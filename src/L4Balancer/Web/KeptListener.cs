using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;

namespace L4Balancer.Web;

/// <summary>
/// One listening address of a web host: its socket, and the places of its connections. It can pause and go on while the host runs. Any thread.
/// </summary>
internal sealed class KeptListener(ControlSocket socket, ConnectionPlaces places)
{
    public ControlSocket Socket => socket;

    public ConnectionPlaces Places => places;

    /// <summary>What the host listens on. Unequal for different sockets.</summary>
    public EndPoint EndPoint => socket.Bound;

    public void Listen() => socket.Listen();

    public Task<ConnectionContext> AcceptAsync(Func<Socket, ConnectionContext> connect, CancellationToken stop) => socket.AcceptAsync(
        client =>
        {
            ConnectionContext connection = connect(client);
            places.Expect();
            return connection;
        },
        stop);

    /// <summary>
    /// Accepts no more, and ends every connection but those that stay (<see cref="ConnectionPlace.Stay"/>): idle ones at once, others behind their
    /// answer. What takes longer than <see cref="ConnectionPlaces.AnswersWithin"/> is cut off.
    /// </summary>
    public async Task PauseAsync()
    {
        await socket.PauseAsync();
        await places.EmptyAsync();
    }

    public void Resume()
    {
        places.Fill();
        socket.Resume();
    }
}
