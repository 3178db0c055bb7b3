using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>A backend that greets with its number, one byte, and then echoes. It can be killed, as the kernel kills a process's sockets.</summary>
internal sealed class NumberedEcho : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly ConcurrentDictionary<Socket, byte> _open = [];
    private readonly byte _number;
    private volatile bool _dead;

    public NumberedEcho(byte number)
    {
        _number = number;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(1024);
        Port = ((IPEndPoint)_listener.LocalEndPoint!).Port;
        _ = AcceptAsync();
    }

    public int Port { get; }

    /// <summary>From now on connects are refused, and what was open is closed.</summary>
    public void Kill()
    {
        _dead = true;
        _listener.Dispose();
        foreach (Socket socket in _open.Keys)
        {
            socket.Dispose();
        }
    }

    public void Dispose() => Kill();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = EchoAsync(await _listener.AcceptAsync());
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Killed.
        }
    }

    private async Task EchoAsync(Socket socket)
    {
        using (socket)
        {
            _open[socket] = 0;
            if (_dead)
            {
                return;
            }

            try
            {
                await socket.SendAsync(new[] { _number });
                var chunk = new byte[4096];
                for (int count; (count = await socket.ReceiveAsync(chunk.AsMemory())) > 0;)
                {
                    await socket.SendAsync(chunk.AsMemory(0, count));
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Killed, or the client was reset; a probe ends so as well.
            }

            _open.TryRemove(socket, out _);
        }
    }
}
