using System.Net;
using System.Net.Sockets;
using System.Text;

namespace L4Balancer.Tests.Fronting;

/// <summary>A connection of a client to a service address, and the balancer that serves it.</summary>
internal sealed class FrontClient : IDisposable
{
    private readonly Socket _socket;
    private readonly byte[] _buffer = new byte[64];

    private FrontClient(Socket socket) => _socket = socket;

    /// <summary>The address of the balancer that relayed the last answer.</summary>
    public string Balancer { get; private set; } = "";

    /// <exception cref="SocketException">Refused, or reset.</exception>
    /// <exception cref="OperationCanceledException">No answer in time.</exception>
    public static async Task<FrontClient> ConnectAsync(VirtualHost host, IPEndPoint service, CancellationToken cancel)
    {
        var client = new FrontClient(await host.NewSocketAsync(service.AddressFamily));
        try
        {
            await client._socket.ConnectAsync(service, cancel);
            await client.AskAsync(cancel);
            return client;
        }
        catch
        {
            client.Dispose();
            throw;
        }
    }

    /// <summary>Sends a line and waits for the answer.</summary>
    public async Task AskAsync(CancellationToken cancel)
    {
        await _socket.SendAsync("who\n"u8.ToArray(), cancel);
        int count = 0;
        while (count == 0 || _buffer[count - 1] != '\n')
        {
            int read = await _socket.ReceiveAsync(_buffer.AsMemory(count), cancel);
            count += read > 0 ? read : throw new SocketException((int)SocketError.ConnectionReset);
        }

        Balancer = Encoding.ASCII.GetString(_buffer, 0, count - 1);
    }

    /// <summary>Whether it still gets an answer, from the same balancer.</summary>
    public async Task<bool> LivesAsync()
    {
        string before = Balancer;
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        try
        {
            await AskAsync(deadline.Token);
            return Balancer == before;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            return false;
        }
    }

    public void Dispose() => _socket.Dispose();
}
