using System.Collections.Immutable;
using L4Balancer.Engine.Packets;
using L4Balancer.Packets;

namespace L4Balancer.Tests.Packets;

/// <summary>Takes the place of the kernel, and keeps what it was told last.</summary>
internal sealed class RecordingPlane : IPacketPlane
{
    /// <summary>What the next call comes to; null: all is well.</summary>
    public string? Fault { get; set; }

    public ImmutableArray<PacketListener> Listeners { get; private set; } = [];

    public Dictionary<string, PacketChoice> Choices { get; } = [];

    /// <summary>The calls in their order, by name.</summary>
    public List<string> Calls { get; } = [];

    public PacketReading Reading { get; set; } = PacketReading.Empty;

    /// <summary>Takes the place of <see cref="PacketPlane.Start"/>.</summary>
    public RecordingPlane Start(ImmutableArray<PacketListener> listeners)
    {
        Take("start", listeners);
        return this;
    }

    public void Configure(ImmutableArray<PacketListener> listeners) => Take("configure", listeners);

    public void Publish(string listener, PacketChoice choice)
    {
        Throw();
        Calls.Add("publish");
        Choices[listener] = choice;
    }

    public PacketReading Read() => Reading;

    public void Leave() => Calls.Add("leave");

    public void Stop() => Calls.Add("stop");

    private void Take(string call, ImmutableArray<PacketListener> listeners)
    {
        Throw();
        Calls.Add(call);
        Listeners = listeners;
        Choices.Clear();
        foreach (PacketListener listener in listeners)
        {
            Choices[listener.Name] = listener.Choice;
        }
    }

    private void Throw()
    {
        if (Fault is not null)
        {
            throw new PacketFaultException(Fault);
        }
    }
}
