using System.Collections.Immutable;
using System.Runtime.Versioning;
using L4Balancer.Engine.Packets;

namespace L4Balancer.Packets;

/// <summary>What sends packets on: <see cref="PacketPlane"/>, or what takes its place in tests. One call at a time.</summary>
internal interface IPacketPlane
{
    /// <inheritdoc cref="PacketPlane.Configure"/>
    void Configure(ImmutableArray<PacketListener> listeners);

    /// <inheritdoc cref="PacketPlane.Publish"/>
    void Publish(string listener, PacketChoice choice);

    /// <inheritdoc cref="PacketPlane.Read"/>
    PacketReading Read();

    /// <inheritdoc cref="PacketPlane.Leave"/>
    void Leave();

    /// <inheritdoc cref="PacketPlane.Stop"/>
    void Stop();
}

/// <summary>The kernel sends packets on.</summary>
[SupportedOSPlatform("linux")]
internal sealed class KernelPlane(PacketPlane plane) : IPacketPlane
{
    public void Configure(ImmutableArray<PacketListener> listeners) => plane.Configure(listeners);

    public void Publish(string listener, PacketChoice choice) => plane.Publish(listener, choice);

    public PacketReading Read() => plane.Read();

    public void Leave() => plane.Dispose();

    public void Stop()
    {
        plane.Stop();
        plane.Dispose();
    }
}
