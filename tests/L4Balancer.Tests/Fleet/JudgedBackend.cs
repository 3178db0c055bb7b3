using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace L4Balancer.Tests.Fleet;

/// <summary>An HTTP server that is well for some balancers and not for others: each says who it is in the header X-Balancer of its probes.</summary>
internal sealed class JudgedBackend : IAsyncDisposable
{
    private readonly Socket _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<string, ConcurrentQueue<long>> _denied = new();
    private readonly Task _serving;

    public JudgedBackend()
        : this(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp), IPAddress.Loopback)
    {
    }

    /// <param name="listener">Not bound yet.</param>
    public JudgedBackend(Socket listener, IPAddress address)
    {
        _listener = listener;
        _listener.Bind(new IPEndPoint(address, 0));
        _listener.Listen(1024);
        _serving = Task.Run(ServeAsync);
    }

    public string Endpoint => _listener.LocalEndPoint!.ToString()!;

    /// <summary>From now on the probes of this balancer fail.</summary>
    public void Deny(string balancer) => _denied[balancer] = [];

    public void Allow(string balancer) => _denied.TryRemove(balancer, out _);

    /// <summary>When this balancer has got its n-th bad answer since it is denied; null: not yet.</summary>
    public long? DeniedAt(string balancer, int n) =>
        _denied.TryGetValue(balancer, out ConcurrentQueue<long>? at) && at.ToArray() is { } all && all.Length >= n ? all[n - 1] : null;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _serving;
        _stop.Dispose();
    }

    private async Task ServeAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                _ = AnswerAsync(await _listener.AcceptAsync(_stop.Token));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task AnswerAsync(Socket client)
    {
        await using (var stream = new NetworkStream(client, ownsSocket: true))
        {
            try
            {
                var text = new StringBuilder();
                var piece = new byte[1024];
                while (!text.ToString().Contains("\r\n\r\n", StringComparison.Ordinal))
                {
                    int read = await stream.ReadAsync(piece, _stop.Token);
                    if (read == 0)
                    {
                        return;
                    }

                    text.Append(Encoding.ASCII.GetString(piece, 0, read));
                }

                string? balancer = text.ToString().Split("\r\n").FirstOrDefault(l => l.StartsWith("X-Balancer: ", StringComparison.OrdinalIgnoreCase))?[12..];
                ConcurrentQueue<long>? denied = balancer is null ? null : _denied.GetValueOrDefault(balancer);
                string status = denied is null ? "200 OK" : "503 Service Unavailable";
                await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), _stop.Token);
                denied?.Enqueue(Stopwatch.GetTimestamp());
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or SocketException)
            {
            }
        }
    }
}
