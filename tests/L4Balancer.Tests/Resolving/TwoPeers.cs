using System.Net;

namespace L4Balancer.Tests.Resolving;

/// <summary>Echo on 127.0.0.41 and 127.0.0.42, on one port.</summary>
internal sealed class TwoPeers : IAsyncDisposable
{
    private readonly EchoPeer _first = new(IPAddress.Parse("127.0.0.41"), 0);
    private readonly EchoPeer _second;

    public TwoPeers() => _second = new EchoPeer(IPAddress.Parse("127.0.0.42"), _first.Endpoint.Port);

    public int Port => _first.Endpoint.Port;

    public (int First, int Second) Accepted => (_first.Accepted, _second.Accepted);

    public async ValueTask DisposeAsync()
    {
        await _first.DisposeAsync();
        await _second.DisposeAsync();
    }
}
