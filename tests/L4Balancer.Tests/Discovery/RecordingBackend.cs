using System.Net;
using System.Net.Sockets;
using L4Balancer.Core.Addressing;

namespace L4Balancer.Tests.Discovery;

/// <summary>A backend that answers each byte with its own port (two bytes), and records when connections with a byte came. Probes send none.</summary>
internal sealed class RecordingBackend : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;
    private int _connections;
    private long _last;

    public RecordingBackend()
        : this(IPAddress.Loopback)
    {
    }

    public RecordingBackend(IPAddress address)
    {
        _listener = new TcpListener(address, 0);
        _listener.Start(4096);
        Address = Endpoint.From((IPEndPoint)_listener.LocalEndpoint);
        _accepting = AcceptAsync();
    }

    public Endpoint Address { get; }

    public int Weight { get; set; } = 100;

    public bool IsRegistered { get; set; } = true;

    public int Connections => Volatile.Read(ref _connections);

    /// <summary>When the last connection was accepted that sent a byte.</summary>
    public DateTime Last => new(Interlocked.Read(ref _last), DateTimeKind.Utc);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await _listener.AcceptSocketAsync(_stop.Token), DateTime.UtcNow);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Disposed of.
        }
    }

    private async Task ServeAsync(Socket socket, DateTime accepted)
    {
        using (socket)
        {
            try
            {
                byte[] answer = [(byte)(Address.Port >> 8), (byte)Address.Port];
                var asked = new byte[1];
                bool isFirst = true;
                while (await socket.ReceiveAsync(asked, _stop.Token) > 0)
                {
                    if (isFirst)
                    {
                        isFirst = false;
                        Interlocked.Increment(ref _connections);
                        Interlocked.Exchange(ref _last, Math.Max(Interlocked.Read(ref _last), accepted.Ticks));
                    }

                    await socket.SendAsync(answer, _stop.Token);
                }
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                // A probe ends with a reset.
            }
        }
    }
}

/// <summary>A client's connection through the daemon to a <see cref="RecordingBackend"/>.</summary>
internal sealed class HeldConnection : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    private HeldConnection()
    {
    }

    /// <summary>The port of the backend that it goes to.</summary>
    public int Backend { get; private set; }

    public static async Task<HeldConnection> OpenAsync(IPEndPoint front)
    {
        var connection = new HeldConnection();
        try
        {
            await connection._socket.ConnectAsync(front);
            connection.Backend = await connection.AskAsync();
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <returns>The port of the backend that answers.</returns>
    /// <exception cref="IOException">It has closed.</exception>
    /// <exception cref="SocketException">It was refused or reset.</exception>
    /// <exception cref="TimeoutException">No answer within the deadline.</exception>
    public async Task<int> AskAsync()
    {
        await _socket.SendAsync(new byte[1]);
        var answer = new byte[2];
        for (int had = 0; had < answer.Length;)
        {
            int count = await _socket.ReceiveAsync(answer.AsMemory(had)).AsTask().WaitAsync(DaemonProcess.Deadline);
            had += count > 0 ? count : throw new IOException("closed without an answer");
        }

        return (answer[0] << 8) | answer[1];
    }

    public void Dispose() => _socket.Dispose();
}
