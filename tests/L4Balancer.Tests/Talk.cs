using System.Net;
using System.Net.Sockets;
using System.Text;

namespace L4Balancer.Tests;

/// <summary>A client's side of a connection through a daemon to an <see cref="EchoPeer"/>.</summary>
internal static class Talk
{
    public static async Task<TcpClient> ConnectAsync(IPEndPoint listener)
    {
        var client = new TcpClient { ReceiveTimeout = 30_000 };
        await client.ConnectAsync(listener);
        return client;
    }

    /// <summary>The client's own address and port, as the daemon shows them; a <see cref="TcpClient"/> has an IPv6 socket.</summary>
    public static string AddressOf(TcpClient client)
    {
        var own = (IPEndPoint)client.Client.LocalEndPoint!;
        return new IPEndPoint(own.Address.IsIPv4MappedToIPv6 ? own.Address.MapToIPv4() : own.Address, own.Port).ToString();
    }

    /// <returns>What came back for the text.</returns>
    public static async Task<string> EchoAsync(TcpClient client, string text)
    {
        byte[] sent = Encoding.UTF8.GetBytes(text);
        var received = new byte[sent.Length];
        await client.GetStream().WriteAsync(sent);
        await client.GetStream().ReadExactlyAsync(received).AsTask().WaitAsync(DaemonProcess.Deadline);
        return Encoding.UTF8.GetString(received);
    }

    /// <summary>Whether the balancer resets the connection instead of holding it.</summary>
    public static async Task<bool> IsRefusedAsync(IPEndPoint listener)
    {
        try
        {
            using TcpClient client = await ConnectAsync(listener);
            client.Client.Shutdown(SocketShutdown.Send);
            return await client.Client.ReceiveAsync(new byte[1]).WaitAsync(DaemonProcess.Deadline) != 0;
        }
        catch (SocketException)
        {
            return true;
        }
    }
}
