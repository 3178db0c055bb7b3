using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace L4Balancer.Tests.Truth;

/// <summary>A client that sends one message, checks its echo, and sees to it that the connection ends as planned.</summary>
internal static class ScriptedClient
{
    /// <returns>Bytes of the message: each way, where the echo came back whole.</returns>
    public static async Task<int> PlayAsync(IPEndPoint front, Ending ending, int payload)
    {
        using Socket socket = await OpenAsync(front);
        int size = await TalkAsync(socket, ending, payload);
        switch (ending)
        {
            case Ending.ClientResets:
                ScriptedBackend.Reset(socket);
                break;
            case Ending.ClientCloses:
                socket.Shutdown(SocketShutdown.Send);
                Assert.That(await EndAsync(socket), Is.EqualTo(SocketError.Success));
                break;
            case Ending.BackendResets:
                Assert.That(await EndAsync(socket), Is.EqualTo(SocketError.ConnectionReset));
                break;
            default:
                Assert.That(await EndAsync(socket), Is.EqualTo(SocketError.Success));
                break;
        }

        return size;
    }

    /// <summary>Connects, and is refused: by a reset, before or after the connect has come back.</summary>
    public static async Task BeRefusedAsync(IPEndPoint front)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(front);
            Assert.That(await EndAsync(socket), Is.EqualTo(SocketError.ConnectionReset));
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // Between the accept and the connect's return.
        }
    }

    public static async Task<Socket> OpenAsync(IPEndPoint front)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(front);
        return socket;
    }

    /// <returns>Bytes of the message, which has come back whole.</returns>
    public static async Task<int> TalkAsync(Socket socket, Ending ending, int payload)
    {
        byte[] message = new byte[ScriptedBackend.HeaderSize + payload];
        message[0] = (byte)ending;
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(1), payload);
        await socket.SendAsync(message);
        byte[] echo = new byte[message.Length];
        for (int got = 0; got < echo.Length;)
        {
            int count = await socket.ReceiveAsync(echo.AsMemory(got));
            Assert.That(count, Is.Positive, "the echo is cut short");
            got += count;
        }

        Assert.That(echo, Is.EqualTo(message));
        return message.Length;
    }

    /// <returns>Success for a FIN.</returns>
    public static async Task<SocketError> EndAsync(Socket socket)
    {
        try
        {
            Assert.That(await socket.ReceiveAsync(new byte[1]).WaitAsync(DaemonProcess.Deadline), Is.Zero);
            return SocketError.Success;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode;
        }
    }
}
