using System.Net.Sockets;

namespace L4Balancer.Engine.Probing;

/// <summary>A network stream that knows whether a read is waiting for the peer. One read at a time; the socket stays open.</summary>
internal sealed class WatchedStream(Socket socket) : NetworkStream(socket, ownsSocket: false)
{
    private volatile bool _isReading;

    /// <summary>Any thread may read it.</summary>
    public bool IsReading => _isReading;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        _isReading = true;
        try
        {
            return await base.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _isReading = false;
        }
    }
}
