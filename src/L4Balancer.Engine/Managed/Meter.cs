using L4Balancer.Core.Accounting;
using L4Balancer.Core.Timing;

namespace L4Balancer.Engine.Managed;

/// <summary>Byte counts and last activity of one connection. Each direction is counted by one thread at a time; any thread may read.</summary>
internal sealed class Meter(ManagedEngine engine)
{
    private RelayedBytes? _traffic;
    private long _lastActivity;
    private long _bytesToBackend;
    private long _bytesToClient;

    public long BytesToBackend => Volatile.Read(ref _bytesToBackend);

    public long BytesToClient => Volatile.Read(ref _bytesToClient);

    public Instant LastActivity => new(Volatile.Read(ref _lastActivity));

    /// <summary>Sets the backend's counters, which also count these bytes. Nothing is sent before that.</summary>
    public void Begin(RelayedBytes traffic)
    {
        Touch();
        _traffic = traffic;
    }

    public void Touch() => Volatile.Write(ref _lastActivity, engine.Now.Ticks);

    public void Received(int bytes) => Touch();

    public void SentToBackend(int bytes)
    {
        Touch();
        Volatile.Write(ref _bytesToBackend, _bytesToBackend + bytes);
        _traffic!.AddShared(bytes, 0);
    }

    public void SentToClient(int bytes)
    {
        Touch();
        Volatile.Write(ref _bytesToClient, _bytesToClient + bytes);
        _traffic!.AddShared(0, bytes);
    }
}
