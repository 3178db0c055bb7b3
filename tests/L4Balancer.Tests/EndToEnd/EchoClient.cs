using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.EndToEnd;

/// <summary>One connection to a <see cref="NumberedEcho"/> that asks and compares without a pause until it is stopped or broken.</summary>
internal sealed class EchoClient : IDisposable
{
    private const int Seed = 4711;

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private long _echoes;

    private EchoClient()
    {
    }

    /// <summary>The number of the backend that greeted.</summary>
    public int Backend { get; private set; }

    public long Echoes => Interlocked.Read(ref _echoes);

    /// <summary>Connects and reads the greeting.</summary>
    /// <returns>Null where the connection was refused or ended before that.</returns>
    public static async Task<EchoClient?> ConnectAsync(IPEndPoint front, CancellationToken cancel)
    {
        var client = new EchoClient();
        var greeting = new byte[1];
        try
        {
            await client._socket.ConnectAsync(front, cancel);
            if (await client._socket.ReceiveAsync(greeting.AsMemory(), cancel) == 1)
            {
                client.Backend = greeting[0];
                return client;
            }
        }
        catch (SocketException)
        {
            // A refused client gets a reset.
        }

        client.Dispose();
        return null;
    }

    /// <summary>Sends requests until it is cancelled, or until the connection ends.</summary>
    /// <returns>True where it was still good when it was stopped.</returns>
    public async Task<bool> TalkAsync(CancellationToken stop)
    {
        var question = new byte[512];
        var answer = new byte[512];
        var random = new Random(Seed);
        try
        {
            while (!stop.IsCancellationRequested)
            {
                random.NextBytes(question);
                await _socket.SendAsync(question.AsMemory(), CancellationToken.None);
                for (int length = 0, count; length < answer.Length; length += count)
                {
                    count = await _socket.ReceiveAsync(answer.AsMemory(length), CancellationToken.None);
                    if (count == 0)
                    {
                        return false;
                    }
                }

                if (!answer.AsSpan().SequenceEqual(question))
                {
                    return false;
                }

                Interlocked.Increment(ref _echoes);
            }

            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Ends with a reset, so that thousands of short connections leave no port in TIME_WAIT.</summary>
    public void Dispose()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Dispose();
    }
}
