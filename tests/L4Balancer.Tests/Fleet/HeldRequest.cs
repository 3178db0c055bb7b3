using System.Net;
using System.Net.Sockets;
using System.Text;

namespace L4Balancer.Tests.Fleet;

/// <summary>An HTTP request in two halves to a <see cref="JudgedBackend"/> through a balancer: its connection is established between them.</summary>
internal sealed class HeldRequest(IPEndPoint front) : IDisposable
{
    private readonly TcpClient _client = new();

    /// <summary>Connects and sends the first half.</summary>
    public async Task BeginAsync()
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        await _client.ConnectAsync(front, deadline.Token);
        await _client.GetStream().WriteAsync("GET / HTTP/1.1\r\n"u8.ToArray(), deadline.Token);
    }

    /// <summary>Sends the second half.</summary>
    /// <returns>The whole answer.</returns>
    public async Task<string> EndAsync()
    {
        using var deadline = new CancellationTokenSource(DaemonProcess.Deadline);
        await _client.GetStream().WriteAsync("Host: chat\r\n\r\n"u8.ToArray(), deadline.Token);
        using var all = new MemoryStream();
        await _client.GetStream().CopyToAsync(all, deadline.Token);
        return Encoding.ASCII.GetString(all.ToArray());
    }

    public void Dispose() => _client.Dispose();
}
